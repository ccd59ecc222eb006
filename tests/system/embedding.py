#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What `make install DESTDIR=` leaves behind does for a program that embeds the machine: the
example of docs/embedding.md, built by what pkg-config says against the installed tree alone, shared
and static; the installed command finds its data there. TAP.

usage: embedding.py SOURCE_DIR BUILD_DIR
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile

PRINTED = "after one instruction a0 is 'I', the next is 00a60023\nI\nthe guest ran\n"


def run(command, **more):
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, **more)
    return done.returncode, done.stdout, done.stderr


def find(root, name):
    for folder, _, files in os.walk(root):
        if name in files:
            return folder
    raise FileNotFoundError(f'{name} is not installed')


def flags(root, *options):
    folder = find(root, 'isthmus.pc')
    paths = [folder] + [p for p in [os.environ.get('PKG_CONFIG_PATH')] if p]
    status, out, err = run(['pkg-config', f'--define-variable=prefix={os.path.join(root, "usr/local")}',
                            '--cflags', '--libs', *options, 'isthmus'],
                           env=dict(os.environ, PKG_CONFIG_PATH=':'.join(paths)))
    if status:
        raise RuntimeError(err)
    return out.split()


def example(source, root, folder, static):
    """Build and run the example. Result: None, or what went wrong."""
    with open(os.path.join(source, 'docs/embedding.md'), encoding='utf-8') as f:
        code = re.search(r'```c\n(.*?)```', f.read(), re.S).group(1)
    path = os.path.join(folder, 'example.c')
    with open(path, 'w', encoding='utf-8') as f:
        f.write(code)
    library = find(root, 'libisthmus.a')
    words = flags(root, *(['--static'] if static else []))
    if static:
        words = [os.path.join(library, 'libisthmus.a') if w == '-listhmus' else w for w in words]
    program = os.path.join(folder, 'example')
    status, _, err = run(['cc', '-std=c17', '-Wall', '-Wextra', '-Werror', '-o', program, path] + words)
    if status:
        return err
    status, out, err = run([program], env=dict(os.environ, LD_LIBRARY_PATH=library))
    return None if (status, out) == (0, PRINTED) else f'status {status}\n{out}{err}'


GUESTS = """
#include <isthmus.h>
#include <stddef.h>
int main(int argc, char **argv)
{
    const struct isthmus_guest guests[] = {{.image = argv[1], .name = "owner"},
                                           {.image = argv[1], .name = "peer"}};
    const struct isthmus_window window = {"owner", "peer", ISTHMUS_WINDOW_R | ISTHMUS_WINDOW_W, 1, 4096};
    const struct isthmus_config config = {.abi = ISTHMUS_ABI, .guests = guests, .guests_n = 2,
                                          .windows = &window, .windows_n = 1, .console = "stdio"};
    struct isthmus *m = isthmus_new(&config, NULL);
    int status = m && isthmus_run(m, NULL) == ISTHMUS_STOP_EXIT ? isthmus_exit_code(m) : 2;
    isthmus_free(m);
    return status;
}
"""


def guests(root, folder):
    """Guests and a window on the hypervisor that is installed. Result: None, or what went wrong."""
    path, program = os.path.join(folder, 'guests.c'), os.path.join(folder, 'guests')
    with open(path, 'w', encoding='utf-8') as f:
        f.write(GUESTS)
    status, _, err = run(['cc', '-Wall', '-Werror', '-o', program, path] + flags(root))
    if status:
        return err
    data = find(root, 'hypervisor.elf')
    status, out, err = run([program, os.path.join(data, 'example.elf')],
                           env=dict(os.environ, LD_LIBRARY_PATH=find(root, 'libisthmus.a'),
                                    ISTHMUS_DATADIR=data))
    return None if status == 0 and '[owner] the peer wrote' in out else f'status {status}\n{out}{err}'


def demo(root):
    status, out, err = run([os.path.join(root, 'usr/local/bin/isthmus'), 'demo'], cwd='/')
    return None if status == 0 and 'All as it should be.' in out else out + err


def main(source, build):
    if not shutil.which('pkg-config') or not shutil.which('cc'):
        print('1..0 # skip no pkg-config or no cc')
        return 0
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        root = os.path.join(folder, 'root')
        status, out, err = run(['meson', 'install', '-C', build, '--no-rebuild'],
                               env=dict(os.environ, DESTDIR=root))
        cases = [('the tree installs', lambda: out + err if status else None),
                 ('the example, shared', lambda: example(source, root, folder, False)),
                 ('the example, static', lambda: example(source, root, folder, True)),
                 ('guests on the installed hypervisor', lambda: guests(root, folder)),
                 ('the installed demo, from another directory', lambda: demo(root))]
        print(f'1..{len(cases)}')
        for number, (name, case) in enumerate(cases, 1):
            try:
                wrong = case()
            except (OSError, RuntimeError, subprocess.SubprocessError) as error:
                wrong = str(error)
            failed += wrong is not None
            if wrong is not None:
                print('# ' + wrong.strip().replace('\n', '\n# '))
            print(f'{"ok" if wrong is None else "not ok"} {number} - {name}', flush=True)
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main(*sys.argv[1:]))

# SPDX-License-Identifier: MIT
# bash completion of isthmus. Commands and options are those that --help lists.

_isthmus()
{
    local cur prev words cword split
    _init_completion -s || return

    local program=${words[0]} command=${words[1]}
    if ((cword == 1)); then
        COMPREPLY=($(compgen -W "--help --version $("$program" --help 2>/dev/null |
            sed -n 's/^  \([a-z]*\)  .*/\1/p')" -- "$cur"))
        return
    fi
    case $prev in
    --bios)
        _filedir
        COMPREPLY+=($(compgen -W none -- "$cur"))
        return
        ;;
    --kernel | --initrd | --stats | --file | --guest | --disk | --svg)
        _filedir
        return
        ;;
    --share)
        _filedir -d
        return
        ;;
    --net)
        COMPREPLY=($(compgen -W 'user tap,ifname= none' -- "$cur"))
        return
        ;;
    --console | --virtio-console)
        if [[ $cur == file:* ]]; then
            cur=${cur#file:}
            _filedir
        else
            COMPREPLY=($(compgen -W 'stdio none file:' -- "$cur"))
            [[ ${COMPREPLY-} == file: ]] && compopt -o nospace
        fi
        return
        ;;
    --aia)
        COMPREPLY=($(compgen -W 'none aplic aplic-imsic' -- "$cur"))
        return
        ;;
    --cpu)
        COMPREPLY=($(compgen -W 'rv64gch rv64gc' -- "$cur"))
        return
        ;;
    --aia-guests | --harts | --memory | --timeout | --append | --window | --code-buffer | --translate-after)
        return
        ;;
    esac
    $split && return
    case $cur in
    -*)
        COMPREPLY=($(compgen -W "$("$program" "$command" --help 2>/dev/null |
            sed -n 's/^  \(--[a-z-]*\).*/\1/p')" -- "$cur"))
        ;;
    *)
        case $command in
        boot) COMPREPLY=($(compgen -W debian -- "$cur")) ;;
        bench) COMPREPLY=($(compgen -W 'copy switch compute' -- "$cur")) ;;
        disasm) _filedir ;;
        esac
        ;;
    esac
} && complete -F _isthmus isthmus

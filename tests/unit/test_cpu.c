/* SPDX-License-Identifier: MIT */
/* What --cpu means: the set of extensions, limits, the ISA string, and that decoder, CSRs, MMU and
 * device tree follow. */
#include "hart_fixture.h"
#include "isthmus.h"

#include <errno.h>
#include <libfdt.h>
#include <stdio.h>
#include <unistd.h>

static struct cpu parse(const char *text)
{
    struct cpu cpu;
    char why[160] = "";

    if (cpu_parse(&cpu, text, false, why, sizeof(why)))
        fail_msg("%s: %s", text, why);
    return cpu;
}

static void expect_isa(const char *text, bool aia, const char *want)
{
    char isa[CPU_ISA_STRING], why[160];
    struct cpu cpu;

    assert_int_equal(cpu_parse(&cpu, text, aia, why, sizeof(why)), 0);
    cpu_isa_string(&cpu, isa, sizeof(isa));
    assert_string_equal(isa, want);
}

#define Z                                                                                          \
    "_zicbom_zicbop_zicboz_zicntr_zicond_zicsr_zifencei_zihintpause_zihpm_zabha_zacas_zawrs_zfa_"  \
    "zfh_zfhmin_zba_zbb_zbc_zbs_"
#define SV "svade_svadu_svinval_svnapot_svpbmt"

static void isa_strings_are_exact(void **state)
{
    expect_isa("rv64gch", false,
               "rv64imafdch" Z "smstateen_sscofpmf_ssstateen_sstc_" SV "_xisthmus");
    expect_isa("rv64gch", true,
               "rv64imafdch" Z "smaia_smstateen_ssaia_sscofpmf_ssstateen_sstc_" SV "_xisthmus");
    expect_isa("rv64gc", false, "rv64imafdc" Z "smstateen_sscofpmf_ssstateen_sstc_" SV);
    expect_isa("rv64gc,-m,-a,-f,-zicntr,-zba,-zbb,-zbc,-zbs,-zicbom,-zicbop,-zicboz,-zicond,-sstc,"
               "-zifencei,-zihintpause,-ssstateen,-svade,-svadu,-svinval,-svnapot,-svpbmt",
               false, "rv64ic_zicsr");
    expect_isa("rv64gc,-f,+zfa,-zicntr,sscofpmf,-smstateen", false,
               "rv64imafc_zicbom_zicbop_zicboz_zicntr_zicond_zicsr_zifencei_zihintpause_zihpm_"
               "zabha_zacas_zawrs_zfa_zba_zbb_zbc_zbs_sscofpmf_ssstateen_sstc_" SV);
}

static void what_is_needed_comes_and_goes_along(void **state)
{
    struct cpu cpu = parse("rv64gch,-f");

    assert_false(cpu_has(&cpu, EXT_D) || cpu_has(&cpu, EXT_ZFA) || cpu_has(&cpu, EXT_ZFHMIN));
    assert_false(cpu_has(&cpu, EXT_ZFH) || cpu_has(&cpu, EXT_ZFA_D) || cpu_has(&cpu, EXT_ZFH_D));
    cpu = parse("rv64gch,-f,+zfh");
    assert_true(cpu_has(&cpu, EXT_F) && cpu_has(&cpu, EXT_ZFHMIN) && cpu_has(&cpu, EXT_ZFH));
    assert_false(cpu_has(&cpu, EXT_D) || cpu_has(&cpu, EXT_ZFH_D));
    cpu = parse("rv64gch,-zacas");
    assert_true(cpu_has(&cpu, EXT_ZABHA) && !cpu_has(&cpu, EXT_ZABHA_ZACAS));
    cpu = parse("rv64gch,+smaia");
    assert_true(cpu_has(&cpu, EXT_SSAIA));
    cpu = parse("rv64gch,-h,+xisthmus");
    assert_true(cpu_has(&cpu, EXT_H));
}

static void bad_text_is_refused_with_a_reason(void **state)
{
    static const char *const bad[] = {
        "",
        "rv32gc",
        "rv64gch,",
        "rv64gch,bogus",
        "rv64gch,-bogus",
        "rv64gch,-i",
        "rv64gch,-c",
        "rv64gch,-zicsr",
        "rv64gch,vmidlen",
        "rv64gch,vmidlen=",
        "rv64gch,pmp=17",
        "rv64gch,vmidlen=15",
        "rv64gch,asidlen=-1",
        "rv64gch,geilen=99999999999",
        "rv64gch,sv=32",
        "rv64gch,htinst=1",
        "rv64gch,=3",
        "rv64gch,x=3",
        "rv64gch,,m",
        "rv64gch,-",
        "rv64gch,+",
    };

    for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
        struct cpu cpu;
        char why[160] = "";

        if (cpu_parse(&cpu, bad[i], false, why, sizeof(why)) != -EINVAL || !*why)
            fail_msg("'%s' was not refused with a reason", bad[i]);
        assert_null(strchr(why, '\n'));
    }
}

/* --- A hart made so --- */

static struct hart *become(void **state, const char *text)
{
    struct fixture *f = *state;
    struct cpu cpu = parse(text);

    isa_init(&f->isa, &cpu);
    hart_reset(&f->hart, RAM);
    if (cpu.pmp) {
        poke(&f->hart, CSR_pmpaddr0, UINT64_MAX);
        poke(&f->hart, CSR_pmpcfg0, 0x1f);
    }
    poke(&f->hart, CSR_mtvec, RAM + MTVEC);
    return &f->hart;
}

static void lengths_limit_the_fields(void **state)
{
    struct hart *h = become(state, "rv64gch,asidlen=3,vmidlen=2,sv=48");
    const uint64_t sv39 = UINT64_C(8) << 60, sv48 = UINT64_C(9) << 60, sv57 = UINT64_C(10) << 60;

    assert_true(write_read(h, CSR_satp, sv39 | UINT64_C(0xffff) << 44 | 5) ==
                (sv39 | UINT64_C(7) << 44 | 5));
    assert_true(write_read(h, CSR_satp, sv57) == (sv39 | UINT64_C(7) << 44 | 5));
    assert_true(write_read(h, CSR_vsatp, sv48) == sv48);
    assert_true(write_read(h, CSR_hgatp, sv48 | UINT64_C(0x3fff) << 44 | 4) ==
                (sv48 | UINT64_C(3) << 44 | 4));
    assert_true(write_read(h, CSR_hgatp, sv57) >> 60 == 9);
    h = become(state, "rv64gch,asidlen=0,vmidlen=0");
    assert_true(write_read(h, CSR_satp, sv57 | UINT64_C(0xffff) << 44) == sv57);
    assert_true(write_read(h, CSR_hgatp, sv57 | UINT64_C(0x3fff) << 44) == sv57);
}

static void pmp_entries_are_counted(void **state)
{
    struct hart *h = become(state, "rv64gch,pmp=3");

    assert_int_equal(write_read(h, CSR_pmpaddr2, 77), 77);
    assert_int_equal(write_read(h, CSR_pmpaddr3, 77), 0);
    assert_int_equal(write_read(h, CSR_pmpcfg0, 0x1f1f1f1f1f), 0x1f1f1f);
    assert_int_equal(write_read(h, CSR_pmpcfg2, 0x1f), 0);
    h = become(state, "rv64gch,pmp=0");
    assert_int_equal(run_in(h, U, I_NOP), OK);
}

static void missing_extensions_leave_no_bits(void **state)
{
    struct hart *h = become(state, "rv64gch,-svadu,-svpbmt,-sstc,-zicbom,-zicboz,-sscofpmf");

    assert_int_equal(write_read(h, CSR_menvcfg, UINT64_MAX), ENVCFG_FIOM);
    assert_int_equal(write_read(h, CSR_henvcfg, UINT64_MAX), ENVCFG_FIOM);
    assert_false(h->mmu.adue || h->mmu.pbmte || h->mmu.vadue || h->mmu.vpbmte);
    EXPECT_IN_MODES(h, csrr(CSR_stimecmp), ILL, ILL, ILL, ILL, ILL);
    EXPECT_IN_MODES(h, csrr(CSR_vstimecmp), ILL, ILL, ILL, ILL, ILL);
    EXPECT_IN_MODES(h, csrr(CSR_scountovf), ILL, ILL, ILL, ILL, ILL);
    assert_int_equal(write_read(h, CSR_mideleg, UINT64_MAX), 0x1666);
    assert_true(write_read(h, CSR_mhpmevent3, UINT64_MAX) == 0xfffff);
}

static void without_h_there_is_no_trace_of_it(void **state)
{
    struct hart *h = become(state, "rv64gc");

    for (unsigned num = 0; num < 4096; num++) {
        uint64_t value;

        if ((num >> 8 & 3) == 2)
            assert_false(csr_peek(h, num, &value));
    }
    assert_int_equal(run_in(h, M, csrr(CSR_mtval2)), ILL);
    assert_int_equal(run_in(h, M, csrr(CSR_mtinst)), ILL);
    assert_int_equal(run_in(h, M, I_HFENCE_VVMA), ILL);
    assert_int_equal(run_in(h, M, I_HINVAL_GVMA), ILL);
    assert_int_equal(run_in(h, M, I_HLV_D), ILL);
    assert_int_equal(peek(h, CSR_misa) & BIT('H' - 'A'), 0);
    assert_int_equal(write_read(h, CSR_mstatus, UINT64_MAX) & (MSTATUS_MPV | MSTATUS_GVA), 0);
    assert_int_equal(write_read(h, CSR_mideleg, UINT64_MAX), IRQS_S | BIT(IRQ_LCOF));
    assert_int_equal(write_read(h, CSR_mie, UINT64_MAX), IRQS_M | IRQS_S | BIT(IRQ_LCOF));
    assert_int_equal(write_read(h, CSR_medeleg, UINT64_MAX), 0xcb3fe);
}

static void without_f_there_is_no_fs(void **state)
{
    struct hart *h = become(state, "rv64gch,-f");

    assert_int_equal(write_read(h, CSR_mstatus, MSTATUS_FS) & MSTATUS_FS, 0);
    assert_int_equal(run_in(h, M, csrr(CSR_fcsr)), ILL);
    assert_int_equal(run_in(h, M, 0x00002007), ILL); /* flw */
}

static void without_smstateen_nothing_is_withheld(void **state)
{
    struct hart *h = become(state, "rv64gch,-ssstateen");

    assert_int_equal(run_in(h, M, csrr(CSR_mstateen0)), ILL);
    EXPECT_IN_MODES(h, csrr(CSR_senvcfg), OK, OK, ILL, OK, VIRT);
}

/* --- The device tree --- */

static void device_tree_says_what_is_there(void **state)
{
    char path[] = "/tmp/isthmus-cpu-XXXXXX";
    int fd = mkstemp(path), length;
    struct isthmus_config config = {.abi = ISTHMUS_ABI,
                                    .bios = "none",
                                    .kernel = path,
                                    .cpu = "rv64gch,-zicboz,sv=39",
                                    .aia = "aplic-imsic",
                                    .aia_guests = 3};
    static uint8_t tree[1 << 16];
    struct isthmus *m;
    struct cpu cpu;
    char want[CPU_ISA_STRING], why[160];
    const char *list;
    uint64_t at;
    int node;

    assert_int_equal(write(fd, "\x6f\0\0\0", 4), 4); /* j . */
    close(fd);
    m = isthmus_new(&config, NULL);
    unlink(path);
    assert_non_null(m);
    assert_int_equal(isthmus_mem_read(m, 0x1000 + 40, &at, sizeof(at)), 0);
    assert_int_equal(isthmus_mem_read(m, at, tree, 4096), 0);
    assert_int_equal(isthmus_mem_read(m, at, tree, fdt_totalsize(tree)), 0);
    assert_int_equal(fdt_check_full(tree, sizeof(tree)), 0);

    assert_int_equal(cpu_parse(&cpu, config.cpu, true, why, sizeof(why)), 0);
    cpu_isa_string(&cpu, want, sizeof(want));
    node = fdt_path_offset(tree, "/cpus/cpu@0");
    assert_string_equal(fdt_getprop(tree, node, "riscv,isa", NULL), want);
    assert_string_equal(fdt_getprop(tree, node, "mmu-type", NULL), "riscv,sv39");
    assert_non_null(fdt_getprop(tree, node, "riscv,cbom-block-size", NULL));
    assert_null(fdt_getprop(tree, node, "riscv,cboz-block-size", NULL));
    list = fdt_getprop(tree, node, "riscv,isa-extensions", &length);
    assert_true(list && fdt_stringlist_contains(list, length, "ssaia"));
    node = fdt_path_offset(tree, "/soc/imsics@28000000");
    assert_int_equal(
        fdt32_to_cpu(*(const fdt32_t *)fdt_getprop(tree, node, "riscv,guest-index-bits", NULL)), 2);
    assert_true(fdt_path_offset(tree, "/soc/aplic@c000000") > 0);
    assert_true(fdt_path_offset(tree, "/soc/plic@c000000") < 0);
    isthmus_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(isa_strings_are_exact),
        cmocka_unit_test(what_is_needed_comes_and_goes_along),
        cmocka_unit_test(bad_text_is_refused_with_a_reason),
        TEST(lengths_limit_the_fields),
        TEST(pmp_entries_are_counted),
        TEST(missing_extensions_leave_no_bits),
        TEST(without_h_there_is_no_trace_of_it),
        TEST(without_f_there_is_no_fs),
        TEST(without_smstateen_nothing_is_withheld),
        cmocka_unit_test(device_tree_says_what_is_there),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

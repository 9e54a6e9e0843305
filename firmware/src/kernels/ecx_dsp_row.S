/* SPDX-License-Identifier: Apache-2.0
 *
 * Depthwise 3x3 convolution of one row, channel after channel, two outputs at a time.
 *
 * The twelve bytes that one window row of two outputs needs are one word load and two SXTB16:
 * E = columns 0 and 2, O = columns 1 and 3. The weights of a channel stay in registers as int16,
 * times 256: columns 0 and 2 of row r in WR, column 1 of rows 0 and 1 in M01, of row 2 in M2.
 *   stride 1: two outputs from 4 columns, (3 loads + 4 multiplies) x 3 rows + 9: 1.7 per MAC
 *   stride 2: two outputs from 5 columns, (4 loads + 5 multiplies) x 3 rows + 10: 2.0 per MAC
 * and about 30 instructions per channel. Loads are unaligned: 4 bytes at any address.
 */
#include "ecx_target.h"

#if ECX_USE_DSP

        .syntax unified
        .thumb
        .text

#define S0 r0
#define S1 r1
#define E r2
#define O r3
#define W0 r4
#define W1 r5
#define W2 r6
#define M01 r7
#define M2 r8
#define P0 r9
#define P1 r10
#define P2 r11
#define Y r12
#define BIAS lr

/* The frame: ecx_dsp_row, then what a channel keeps there. */
#define FRAME_ODD 4
#define FRAME_CHANNEL 8
#define FRAME_STREAM 12
#define FRAME_STEPS 28
#define FRAME_BIAS 44
#define FRAME_STRIDE 48 /* the pixel stride again, beside the multiplier */
#define FRAME_MULTIPLIER 52
#define FRAME_END 56
#define FRAME_SIZE 60

/* Copies the job; `entry` and `odd` turn from indices into addresses. */
        .macro  enter entries, odds
        push    {r4-r11, lr}
        sub     sp, sp, #FRAME_SIZE
        ldm     r0!, {r1-r7}
        adr     lr, \odds
        ldr     r2, [lr, r2]
        adr     lr, \entries
        ldr     r3, [lr, r3]
        stm     sp, {r1-r7}
        str     r1, [sp, #FRAME_STRIDE]
        ldm     r0, {r1-r4, P0, P1, P2, Y}
        add     lr, sp, #FRAME_STEPS
        stm     lr, {r1-r4}
        .endm

/* The pointers to the next channel's rows and output; its weights and bias; to its outputs. */
        .macro  channel done
        add     r0, sp, #FRAME_CHANNEL
        ldm     r0, {r1-r8, lr}         /* entry, stream, weights, end, length, four steps */
        add     P0, P0, r6
        add     P1, P1, r7
        add     P2, P2, r8
        add     Y, Y, lr
        cmp     r2, r4
        beq     \done
        add     r5, r5, P0
        str     r5, [sp, #FRAME_END]
        ldrd    lr, r7, [r2], #8
        ldr     W0, [r3, #-1]           /* byte 0 of a row of weights becomes byte 1 of a word */
        ldr     W1, [r3, #2]
        ldr     W2, [r3, #5]
        adds    r3, r3, #9
        strd    r2, r3, [sp, #FRAME_STREAM]
        str     r7, [sp, #FRAME_MULTIPLIER]
        str     BIAS, [sp, #FRAME_BIAS]
        lsr     M01, W0, #8
        pkhbt   M01, M01, W1, lsl #8
        lsr     M2, W2, #8
        bic     W0, W0, #0x00ff00ff
        bic     W1, W1, #0x00ff00ff
        bic     W2, W2, #0x00ff00ff
        bic     M01, M01, #0x00ff00ff
        bic     M2, M2, #0x00ff00ff
        bx      r1
        .endm

/* One window row of two outputs, stride 1; `half` says where M holds the middle weight. */
        .macro  window_1 p, w, m, half
        ldr     E, [\p], #2
        sxtb16  O, E, ror #8
        sxtb16  E, E
        smlad   S0, E, \w, S0
        smlad   S1, O, \w, S1
        smlab\half S0, O, \m, S0
        smlat\half S1, E, \m, S1
        .endm

        .macro  store_two
        ldrd    O, E, [sp, #FRAME_STRIDE]       /* and the multiplier */
        smmul   S0, S0, E
        smmul   S1, S1, E
        ssat    S0, #8, S0, asr #12
        ssat    S1, #8, S1, asr #12
        strb    S0, [Y]
        strb    S1, [Y, O]
        add     Y, Y, O, lsl #1
        .endm

        .macro  pair_1
        ldr     E, [P0], #2
        sxtb16  O, E, ror #8
        sxtb16  E, E
        smlad   S0, E, W0, BIAS
        smlad   S1, O, W0, BIAS
        smlabb  S0, O, M01, S0
        smlatb  S1, E, M01, S1
        window_1 P1, W1, M01, t
        window_1 P2, W2, M2, b
        store_two
        .endm

/* The last output of an odd row, any stride. */
        .macro  single_row p, w, m, half
        ldrsb   E, [\p]
        ldrsb   O, [\p, #1]
        smlabb  S0, E, \w, S0
        smlab\half S0, O, \m, S0
        ldrsb   E, [\p, #2]
        smlabt  S0, E, \w, S0
        .endm

        .macro  single again
        ldr     S0, [sp, #FRAME_BIAS]
        single_row P0, W0, M01, b
        single_row P1, W1, M01, t
        single_row P2, W2, M2, b
        ldr     E, [sp, #FRAME_MULTIPLIER]
        smmul   S0, S0, E
        ssat    S0, #8, S0, asr #12
        strb    S0, [Y]
        b       \again
        .endm

        .section .text.ecx_dsp_row_stride_1, "ax", %progbits
        .balign 4
        .global ecx_dsp_row_stride_1
        .type   ecx_dsp_row_stride_1, %function
ecx_dsp_row_stride_1:
        enter   entries_1, odds_1
channel_1:
        channel done_1
pairs_1_0:
        pair_1
pairs_1_2:
        pair_1
pairs_1_1:
        pair_1
        ldr     E, [sp, #FRAME_END]
        cmp     P0, E
        bne     pairs_1_0
        ldr     pc, [sp, #FRAME_ODD]
single_1:
        single  channel_1
done_1: add     sp, sp, #FRAME_SIZE
        pop     {r4-r11, pc}
        .balign 4
entries_1:
        .word   single_1 + 1, pairs_1_0 + 1, pairs_1_1 + 1, pairs_1_2 + 1
odds_1: .word   channel_1 + 1, single_1 + 1
        .size   ecx_dsp_row_stride_1, . - ecx_dsp_row_stride_1

/* One window row of two outputs, stride 2. */
        .macro  window_2 p, w, m, half
        ldr     E, [\p], #4
        sxtb16  O, E, ror #8
        sxtb16  E, E
        ldrsb   lr, [\p]
        smlad   S0, E, \w, S0
        smlatb  S1, E, \w, S1
        smlab\half S0, O, \m, S0
        smlat\half S1, O, \m, S1
        smlabt  S1, lr, \w, S1
        .endm

        .macro  pair_2
        ldr     S0, [sp, #FRAME_BIAS]
        ldr     E, [P0], #4
        sxtb16  O, E, ror #8
        sxtb16  E, E
        ldrsb   lr, [P0]
        smlatb  S1, E, W0, S0
        smlad   S0, E, W0, S0
        smlabb  S0, O, M01, S0
        smlatb  S1, O, M01, S1
        smlabt  S1, lr, W0, S1
        window_2 P1, W1, M01, t
        window_2 P2, W2, M2, b
        store_two
        .endm

        .section .text.ecx_dsp_row_stride_2, "ax", %progbits
        .balign 4
        .global ecx_dsp_row_stride_2
        .type   ecx_dsp_row_stride_2, %function
ecx_dsp_row_stride_2:
        enter   entries_2, odds_2
channel_2:
        channel done_2
pairs_2_0:
        pair_2
pairs_2_2:
        pair_2
pairs_2_1:
        pair_2
        ldr     E, [sp, #FRAME_END]
        cmp     P0, E
        bne     pairs_2_0
        ldr     pc, [sp, #FRAME_ODD]
single_2:
        single  channel_2
done_2: add     sp, sp, #FRAME_SIZE
        pop     {r4-r11, pc}
        .balign 4
entries_2:
        .word   single_2 + 1, pairs_2_0 + 1, pairs_2_1 + 1, pairs_2_2 + 1
odds_2: .word   channel_2 + 1, single_2 + 1
        .size   ecx_dsp_row_stride_2, . - ecx_dsp_row_stride_2

#endif

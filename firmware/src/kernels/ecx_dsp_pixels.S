/* SPDX-License-Identifier: Apache-2.0
 *
 * Pointwise convolution, three pixels at a time, all channels of one tile after the other.
 *
 * Register tile: 3 pixels x 2 channels. One step takes two taps, so 12 MACs, in
 *     1 LDM (three pixel words) + 6 SMLAD + 1 SXTB16 + 1/3 LDM (three weight words)
 * = 8.33 instructions, 0.69 per MAC. The channels a and b share one weight word (see ecx_fast.h):
 * the word as it is gives 256 * a + b, its sign-extended low bytes give b alone.
 * Six sums, three pixels, three weights and two pointers fill the fourteen registers; everything
 * else waits on the stack. In C no compiler keeps this tile in registers, hence assembly.
 * Around the steps, a pair of channels costs 31 instructions for its 6 outputs.
 */
#include "ecx_target.h"

#if ECX_USE_DSP

        .syntax unified
        .thumb
        .text

#define A0 r0
#define A1 r1
#define A2 r2
#define B0 r3
#define B1 r4
#define B2 r5
#define X0 r6
#define X1 r7
#define X2 r8
#define W0 r9
#define W1 r10
#define W2 r11
#define X r12
#define STREAM lr

/* The frame: ecx_dsp_pixels. */
#define FRAME_Y 0
#define FRAME_X 20
#define FRAME_X_END 24
#define FRAME_FINISH 28
#define FRAME_STREAM 32
#define FRAME_PIXELS 36
#define FRAME_TILE_STEP 44
#define FRAME_TILES 48
#define FRAME_NEXT 52 /* what follows the first group of taps: another one, or the end */
#define FRAME_SIZE 60

/* The first step of a pair: the biases wait in A2 and B2, so no sum is set first. */
        .macro  first w
        ldm     X!, {X0, X1, X2}
        smlad   A0, X0, \w, A2
        smlad   A1, X1, \w, A2
        smlad   A2, X2, \w, A2
        sxtb16  \w, \w
        smlad   B0, X0, \w, B2
        smlad   B1, X1, \w, B2
        smlad   B2, X2, \w, B2
        .endm

        .macro  step w
        ldm     X!, {X0, X1, X2}
        smlad   A0, X0, \w, A0
        smlad   A1, X1, \w, A1
        smlad   A2, X2, \w, A2
        sxtb16  \w, \w
        smlad   B0, X0, \w, B0
        smlad   B1, X1, \w, B1
        smlad   B2, X2, \w, B2
        .endm

        .macro  three
        ldm     STREAM!, {W0, W1, W2}
        step    W0
        step    W1
        step    W2
        .endm

/* Store six outputs; then the next pair of channels or of pixels. */
        .macro  store again, end
        ldm     sp, {X0, X1, X2, W0, W1, X}     /* y, its three strides, end of stream, pixels */
        strb    A0, [X0]
        strb    B0, [X0, X2]
        add     X0, X0, X1
        strb    A1, [X0]
        strb    B1, [X0, X2]
        add     X0, X0, X1
        strb    A2, [X0]
        strb    B2, [X0, X2]
        add     X0, X0, W0
        str     X0, [sp, #FRAME_Y]
        cmp     STREAM, W1
        bne     \again
        b       \end
        .endm

/* Multiply, shift and saturate six sums. */
        .macro  finish shift, again, end
        ldm     STREAM!, {W0, W1, W2}           /* multipliers of a and b, offset of b */
        sub     A0, A0, B0
        sub     A1, A1, B1
        sub     A2, A2, B2
        smmul   A0, A0, W0
        smmul   A1, A1, W0
        smmul   A2, A2, W0
        smmla   B0, B0, W1, W2
        smmla   B1, B1, W1, W2
        smmla   B2, B2, W1, W2
        ssat    A0, #8, A0, asr #(\shift + 8)
        ssat    A1, #8, A1, asr #(\shift + 8)
        ssat    A2, #8, A2, asr #(\shift + 8)
        ssat    B0, #8, B0, asr #\shift
        ssat    B1, #8, B1, asr #\shift
        ssat    B2, #8, B2, asr #\shift
        store   \again, \end
        .endm

/* One sum, times 2: TFLite's double rounding. The carry of the shift is the bit that rounds. */
        .macro  round sum, multiplier, shift, zero
        smmulr  \sum, \sum, \multiplier
        add     \sum, \sum, \sum, asr #31
        asrs    \sum, \sum, \shift
        adc     \sum, \sum, \zero
        ssat    \sum, #8, \sum
        .endm

/* The same for any output zero point; a shift by a register looks at its low byte only. */
        .macro  finish_exactly again, end
        ldm     STREAM!, {W0, W1, W2}           /* multipliers; shifts of a and b, zero point */
        lsr     X0, W2, #8
        sxtb    X1, W2, ror #16
        sub     A0, A0, B0
        sub     A1, A1, B1
        sub     A2, A2, B2
        asr     A0, A0, #7
        asr     A1, A1, #7
        asr     A2, A2, #7
        lsl     B0, B0, #1
        lsl     B1, B1, #1
        lsl     B2, B2, #1
        round   A0, W0, W2, X1
        round   A1, W0, W2, X1
        round   A2, W0, W2, X1
        round   B0, W1, X0, X1
        round   B1, W1, X0, X1
        round   B2, W1, X0, X1
        store   \again, \end
        .endm

/* Copies the job to the frame and turns `finish` from an index into an address. */
        .macro  enter finishes, group
        push    {r4-r11, lr}
        sub     sp, sp, #FRAME_SIZE
        mov     r9, sp
        ldm     r0!, {r1-r7}
        stm     r9!, {r1-r7}
        subs    r7, r7, r6              /* bytes of expanded pixels */
        ldm     r0, {r1-r6}
        adr     r8, \finishes
        ldr     r1, [r8, r1]
        stm     r9, {r1-r6}
        cmp     r7, #(6 * \group)
        it      ne
        ldrne   r1, [r8, #8]
        str     r1, [sp, #FRAME_NEXT]
        .endm

/* Expands the next three pixels, unless they are already; ready for the first pair. */
        .macro  start_tile
        ldrd    r0, r3, [sp, #FRAME_PIXELS]
        ldr     X, [sp, #FRAME_X]
        cbz     r0, 1f
        add     r1, r0, r3
        add     r2, r1, r3
        add     r3, r3, r2
        str     r3, [sp, #FRAME_PIXELS]
        ldr     r10, [sp, #FRAME_X_END]
        bl      expand
        ldr     X, [sp, #FRAME_X]
1:      ldr     STREAM, [sp, #FRAME_STREAM]
        .endm

        .macro  end_tile again
        ldrd    X0, X1, [sp, #FRAME_TILE_STEP]  /* and the number of tiles */
        ldr     X2, [sp, #FRAME_Y]
        subs    X1, X1, #1
        add     X0, X0, X2
        str     X1, [sp, #FRAME_TILES]
        str     X0, [sp, #FRAME_Y]
        bne     \again
        add     sp, sp, #FRAME_SIZE
        pop     {r4-r11, pc}
        .endm

/* Four taps of three pixels to pairs of int16: 16 instructions for 12 values. */
        .macro  expand_pixel to, from
        sxtb16  r9, \from
        sxtb16  \from, \from, ror #8
        pkhbt   \to, r9, \from, lsl #16
        pkhtb   \from, \from, r9, asr #16
        .endm

        .macro  expand_4
        ldr     r6, [r0], #4
        ldr     r7, [r1], #4
        ldr     r8, [r2], #4
        expand_pixel r3, r6
        expand_pixel r4, r7
        expand_pixel r5, r8
        stm     X!, {r3-r8}
        .endm

/* Pixels r0, r1, r2 to X, up to r10, by eight taps. */
        .section .text.ecx_dsp_pixels_expand, "ax", %progbits
        .balign 4
        .type   expand, %function
expand: expand_4
        expand_4
        cmp     X, r10
        bne     expand
        bx      lr
        .size   expand, . - expand

/* Taps in groups of 8: 0.77 instructions per MAC. */
        .section .text.ecx_dsp_pixels_by_8, "ax", %progbits
        .balign 4
        .global ecx_dsp_pixels_by_8
        .type   ecx_dsp_pixels_by_8, %function
ecx_dsp_pixels_by_8:
        enter   finishes_8, 8
tile_8: start_tile
pair_8: ldm     STREAM!, {A2, B2}
        ldm     STREAM!, {W0, W1, W2}
        first   W0
        step    W1
        step    W2
        ldr     W0, [STREAM], #4
        step    W0
        ldr     pc, [sp, #FRAME_NEXT]
        .balign 4
eight:  three
        ldr     W0, [STREAM], #4
        step    W0
        ldr     X0, [sp, #FRAME_X_END]
        cmp     X, X0
        bne     eight
        ldr     pc, [sp, #FRAME_FINISH]
finish_8_4:
        finish  4, pair_8, end_8
finish_8_7:
        finish  7, pair_8, end_8
end_8:  end_tile tile_8
        .balign 4
finishes_8:
        .word   finish_8_4 + 1
        .word   finish_8_7 + 1
        .word   eight + 1
        .size   ecx_dsp_pixels_by_8, . - ecx_dsp_pixels_by_8

/* Taps in groups of 32: 0.71 instructions per MAC. */
        .section .text.ecx_dsp_pixels_by_32, "ax", %progbits
        .balign 4
        .global ecx_dsp_pixels_by_32
        .type   ecx_dsp_pixels_by_32, %function
ecx_dsp_pixels_by_32:
        enter   finishes_32, 32
tile_32:
        start_tile
pair_32:
        ldm     STREAM!, {A2, B2}
        ldm     STREAM!, {W0, W1, W2}
        first   W0
        step    W1
        step    W2
        .rept   4
        three
        .endr
        ldr     W0, [STREAM], #4
        step    W0
        ldr     pc, [sp, #FRAME_NEXT]
        .balign 4
thirty_two:
        .rept   5
        three
        .endr
        ldr     W0, [STREAM], #4
        step    W0
        ldr     X0, [sp, #FRAME_X_END]
        cmp     X, X0
        bne     thirty_two
        ldr     pc, [sp, #FRAME_FINISH]
finish_32_4:
        finish  4, pair_32, end_32
finish_32_7:
        finish  7, pair_32, end_32
end_32: end_tile tile_32
        .balign 4
finishes_32:
        .word   finish_32_4 + 1
        .word   finish_32_7 + 1
        .word   thirty_two + 1
        .size   ecx_dsp_pixels_by_32, . - ecx_dsp_pixels_by_32

/* Taps in groups of 8, any output zero point: 28 more instructions per pair. */
        .section .text.ecx_dsp_pixels_exact, "ax", %progbits
        .balign 4
        .global ecx_dsp_pixels_exact
        .type   ecx_dsp_pixels_exact, %function
ecx_dsp_pixels_exact:
        enter   finishes_exact, 8
tile_exact:
        start_tile
pair_exact:
        ldm     STREAM!, {A2, B2}
        ldm     STREAM!, {W0, W1, W2}
        first   W0
        step    W1
        step    W2
        ldr     W0, [STREAM], #4
        step    W0
        ldr     pc, [sp, #FRAME_NEXT]
        .balign 4
eight_exact:
        three
        ldr     W0, [STREAM], #4
        step    W0
        ldr     X0, [sp, #FRAME_X_END]
        cmp     X, X0
        bne     eight_exact
finish_exact:
        finish_exactly pair_exact, end_exact
end_exact:
        end_tile tile_exact
        .balign 4
finishes_exact:
        .word   finish_exact + 1
        .word   finish_exact + 1
        .word   eight_exact + 1
        .size   ecx_dsp_pixels_exact, . - ecx_dsp_pixels_exact

#endif

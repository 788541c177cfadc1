//! The guests: a boot sector that needs no operating system and keeps its virtual CPU busy for a pseudo-random share of
//! the time.
//!
//! The timer (PIT) ticks 100 times a second. Every tick adds the guest's duty to its phase: on an overflow the guest spins
//! until the next tick, else it halts. The duty is drawn anew every 64 ticks, so that the load wanders as a real one does.

/// Where the BIOS loads a boot sector.
const ORIGIN: u16 = 0x7c00;
/// Addresses of what the code reads and writes, right behind the code.
const SEED: u16 = ORIGIN + 107;
const TICKS: u16 = SEED + 2;
const BASE: u16 = SEED + 4;
const DUTY: u16 = SEED + 5;
const PHASE: u16 = SEED + 6;
/// Address of the timer's interrupt handler.
const ON_TICK: u16 = ORIGIN + 96;
/// 1,193,182 Hz / 100 Hz.
const PIT_DIVISOR: u16 = 11_932;

/// Size of the disk image, bytes: the boot sector and enough behind it to be a disk that the BIOS accepts.
const IMAGE_BYTES: usize = 1 << 20;

/// Half the width of the duty's wandering, in 1/256 of the time.
const WANDER: u8 = 16;

/// A disk image whose boot sector burns about `mean_duty_percent` (10 to 90) of one core; `seed` tells the guests apart.
#[must_use]
pub fn disk_image(seed: u16, mean_duty_percent: u8) -> Vec<u8> {
    let base = u16::from(mean_duty_percent.clamp(10, 90)) * 256 / 100;
    let base = base as u8 - WANDER;
    let mut image = code(seed, base);
    image.resize(510, 0);
    image.extend([0x55, 0xaa]);
    image.resize(IMAGE_BYTES, 0);
    image
}

/// The boot sector's code (16 bit, real mode) and, behind it, its variables.
fn code(seed: u16, base: u8) -> Vec<u8> {
    let [seed_low, seed_high] = SEED.to_le_bytes();
    let [ticks_low, ticks_high] = TICKS.to_le_bytes();
    let [base_low, base_high] = BASE.to_le_bytes();
    let [duty_low, duty_high] = DUTY.to_le_bytes();
    let [phase_low, phase_high] = PHASE.to_le_bytes();
    let [on_tick_low, on_tick_high] = ON_TICK.to_le_bytes();
    let [divisor_low, divisor_high] = PIT_DIVISOR.to_le_bytes();
    let [origin_low, origin_high] = ORIGIN.to_le_bytes();
    let [first_low, first_high] = seed.to_le_bytes();
    #[rustfmt::skip]
    let code = [
        0xfa,                                                // 0   cli
        0x31, 0xc0,                                          // 1   xor  ax, ax
        0x8e, 0xd8,                                          // 3   mov  ds, ax
        0x8e, 0xd0,                                          // 5   mov  ss, ax
        0xbc, origin_low, origin_high,                       // 7   mov  sp, ORIGIN
        // Interrupt 8 is the timer's.
        0xc7, 0x06, 0x20, 0x00, on_tick_low, on_tick_high,   // 10  mov  word [0x20], ON_TICK
        0xa3, 0x22, 0x00,                                    // 16  mov  [0x22], ax
        // Timer channel 0: low and high byte, mode 2 (rate generator).
        0xb0, 0x34, 0xe6, 0x43,                              // 19  out  0x43, 0x34
        0xb0, divisor_low, 0xe6, 0x40,                       // 23  out  0x40, low
        0xb0, divisor_high, 0xe6, 0x40,                      // 27  out  0x40, high
        // Mask every interrupt but the timer's.
        0xb0, 0xfe, 0xe6, 0x21,                              // 31  out  0x21, 0xfe
        0xfb,                                                // 35  sti
        // next:
        0x8b, 0x1e, ticks_low, ticks_high,                   // 36  mov  bx, [TICKS]
        // Every 64 ticks: a new duty of BASE + 0..31, by a linear congruential generator's next number, whose high byte is
        // the better half.
        0xf6, 0xc3, 0x3f,                                    // 40  test bl, 63
        0x75, 25,                                            // 43  jnz  decide
        0xa1, seed_low, seed_high,                           // 45  mov  ax, [SEED]
        0xba, 0x55, 0x62,                                    // 48  mov  dx, 25173
        0xf7, 0xe2,                                          // 51  mul  dx
        0x05, 0x19, 0x36,                                    // 53  add  ax, 13849
        0xa3, seed_low, seed_high,                           // 56  mov  [SEED], ax
        0x80, 0xe4, 2 * WANDER - 1,                          // 59  and  ah, 31
        0x02, 0x26, base_low, base_high,                     // 62  add  ah, [BASE]
        0x88, 0x26, duty_low, duty_high,                     // 66  mov  [DUTY], ah
        // decide:
        0xa0, duty_low, duty_high,                           // 70  mov  al, [DUTY]
        0x00, 0x06, phase_low, phase_high,                   // 73  add  [PHASE], al
        0x73, 8,                                             // 77  jnc  idle
        // busy: spin until the next tick
        0x3b, 0x1e, ticks_low, ticks_high,                   // 79  cmp  bx, [TICKS]
        0x74, 0xfa,                                          // 83  je   busy
        0xeb, 0xcd,                                          // 85  jmp  next
        // idle: halt until the next tick
        0xf4,                                                // 87  hlt
        0x3b, 0x1e, ticks_low, ticks_high,                   // 88  cmp  bx, [TICKS]
        0x74, 0xf9,                                          // 92  je   idle
        0xeb, 0xc4,                                          // 94  jmp  next
        // ON_TICK: count, and acknowledge to the interrupt controller
        0x50,                                                // 96  push ax
        0xff, 0x06, ticks_low, ticks_high,                   // 97  inc  word [TICKS]
        0xb0, 0x20, 0xe6, 0x20,                              // 101 out  0x20, 0x20
        0x58,                                                // 105 pop  ax
        0xcf,                                                // 106 iret
        first_low, first_high,                               // 107 SEED
        0x00, 0x00,                                          // 109 TICKS
        base,                                                // 111 BASE
        base,                                                // 112 DUTY
        0x00,                                                // 113 PHASE
    ];
    code.to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_image_is_a_bootable_disk() {
        let image = disk_image(7, 25);
        assert_eq!(image.len(), IMAGE_BYTES);
        assert_eq!(image[510..512], [0x55, 0xaa]);
    }

    #[test]
    fn every_jump_lands_on_the_instruction_its_comment_names() {
        let code = code(1, 48);
        let target = |at: usize| (at as i64 + 2 + i64::from(code[at + 1] as i8)) as usize;
        assert_eq!(
            [43, 77, 83, 85, 92, 94].map(target),
            [70, 87, 79, 36, 87, 36],
            "jnz decide, jnc idle, je busy, jmp next, je idle, jmp next"
        );
        assert_eq!(code[usize::from(ON_TICK - ORIGIN)], 0x50);
        assert_eq!(code.len(), usize::from(PHASE - ORIGIN) + 1);
    }

    #[test]
    fn guests_differ_in_their_seed_and_duty_only() {
        let (one, other) = (disk_image(1, 20), disk_image(2, 40));
        let different: Vec<usize> = (0..one.len()).filter(|&i| one[i] != other[i]).collect();
        assert_eq!(different, [107, 111, 112]);
    }
}

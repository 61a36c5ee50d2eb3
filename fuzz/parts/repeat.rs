//! Inputs that say the same again and again, until they are as long as they may be: that is how work
//! that grows with the square of the input is found. Other mutations hardly ever get there.

/// One of so many mutations is a repetition.
const RARITY: u32 = 200;

/// Puts many copies of a piece of the input, often a line, in the place of that piece. Digits in
/// the copies count, so that names differ. `None` leaves the mutation to libFuzzer.
pub fn repeat(data: &mut [u8], size: usize, size_max: usize, seed: u32) -> Option<usize> {
    if !seed.is_multiple_of(RARITY) || size == 0 {
        return None;
    }
    let mut dice = u64::from(seed) | 1 << 32;
    let mut upto = |most: usize| {
        dice = dice.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
        (dice >> 33) as usize % (most + 1)
    };
    let (mut start, mut end) = (upto(size - 1), upto(size - 1));
    if start > end {
        std::mem::swap(&mut start, &mut end);
    }
    let is_break = |byte: &u8| *byte == b'\n';
    if upto(3) > 0 {
        let line = start;
        start = data[..line].iter().rposition(is_break).map_or(0, |at| at + 1);
        let lines = upto(2);
        end = line;
        for _ in 0..=lines {
            let from = (end + 1).min(size);
            end = data[from..size].iter().position(is_break).map_or(size - 1, |at| from + at);
        }
    }
    let piece = data[start..=end].to_vec();
    let after = data[end + 1..size].to_vec();
    let room = size_max.saturating_sub(start + after.len());
    let most = if upto(1) == 0 { room / piece.len() } else { upto(room / piece.len()) };
    let mut written = start;
    for number in 0..most {
        for byte in &piece {
            data[written] = *byte;
            written += 1;
        }
        count(&mut data[written - piece.len()..written], number);
    }
    data[written..written + after.len()].copy_from_slice(&after);
    Some(written + after.len())
}

/// The last digits of the piece become those of the number.
fn count(piece: &mut [u8], mut number: usize) {
    for byte in piece.iter_mut().rev().filter(|byte| byte.is_ascii_digit()) {
        *byte = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

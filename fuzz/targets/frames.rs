//! Our own frames, from a peer that has gone mad: whatever comes, in whatever pieces, the same frames
//! are seen, none is taken for what it is not, and no more memory is taken than was promised.

#![no_main]

#[path = "../parts/limit.rs"]
mod limit;

use circus::wire::{Broken, FRAME_BYTES_MAX, FROM_GATEWAY_BYTES_MAX, NOTE_BYTES_MAX};
use circus::wire::{FromGateway, Inbox, ToGateway};
use libfuzzer_sys::fuzz_target;

/// What an inbox may hold beside one frame: a read and a length.
const READ_BYTES_MAX: usize = (16 << 10) + 4;

fuzz_target!(|data: &[u8]| {
    let Some((head, rest)) = data.split_first_chunk::<8>() else { return };
    let limits = [1, 40, FROM_GATEWAY_BYTES_MAX, FRAME_BYTES_MAX];
    let bytes_max = limits[usize::from(head[0] % 4)];
    let mut dice = Dice(u64::from_le_bytes(*head) | 1);
    limit::in_time("reading", || {
        hostile(rest, bytes_max, &mut dice);
        honest(rest, &mut dice);
    });
});

/// Bytes of somebody who need not mean a frame.
fn hostile(stream: &[u8], bytes_max: usize, dice: &mut Dice) {
    let expected = frames(stream, bytes_max);
    let found = feed(stream, bytes_max, || usize::MAX);
    assert_eq!(found, expected, "in one piece");
    let found = feed(stream, bytes_max, || dice.piece());
    assert_eq!(found, expected, "in pieces");
    for frame in &expected.0 {
        if let Ok(message) = FromGateway::parse(frame) {
            let mut again = Vec::new();
            message.append_to(&mut again);
            assert_eq!(without_length(&again), &**frame, "{message:?}");
        }
        if let Ok(message) = ToGateway::parse(frame) {
            let mut again = Vec::new();
            message.append_to(&mut again);
            assert_eq!(without_length(&again), &**frame, "{message:?}");
        }
    }
}

/// What is written by the one side is what the other side reads.
fn honest(mut material: &[u8], dice: &mut Dice) {
    let (mut up, mut down) = (Vec::new(), Vec::new());
    let (mut sent_up, mut sent_down) = (Vec::new(), Vec::new());
    while let Some((kind, rest)) = material.split_first() {
        material = rest;
        let number = u32::from_le_bytes(*take(&mut material, 4).first_chunk().unwrap_or(&[0; 4]));
        let (short, long) = (number as usize % 256, (number >> 8) as usize % 70_000);
        match kind % 6 {
            0 => sent_up.push(FromGateway::Request {
                uid: (number != u32::MAX).then_some(number),
                identity: take(&mut material, short),
                body: take(&mut material, long),
            }),
            1 => sent_up.push(FromGateway::Subscribers(number)),
            2 => {
                let text = std::str::from_utf8(take(&mut material, long)).unwrap_or("größer");
                sent_up.push(FromGateway::Note { level: number as u8, text });
            }
            3 => sent_up.push(FromGateway::Ready),
            4 => sent_down.push(ToGateway::Reply {
                identity: take(&mut material, short),
                body: take(&mut material, long),
            }),
            _ => sent_down.push(ToGateway::Publication {
                topic: take(&mut material, long % 65_536),
                body: take(&mut material, short),
            }),
        }
    }
    sent_up.iter().for_each(|message| message.append_to(&mut up));
    sent_down.iter().for_each(|message| message.append_to(&mut down));
    let (frames, broken) = feed(&up, FROM_GATEWAY_BYTES_MAX, || dice.piece());
    assert_eq!((frames.len(), broken), (sent_up.len(), None));
    for (frame, sent) in frames.iter().zip(&sent_up) {
        match (FromGateway::parse(frame), *sent) {
            (Ok(FromGateway::Note { level, text }), FromGateway::Note { level: l, text: t }) => {
                assert!(level == l.min(4) && t.starts_with(text));
                assert!(text == t || (NOTE_BYTES_MAX - 3..=NOTE_BYTES_MAX).contains(&text.len()));
            }
            (read, sent) => assert_eq!(read, Ok(sent)),
        }
    }
    let (frames, broken) = feed(&down, FRAME_BYTES_MAX, || dice.piece());
    assert_eq!((frames.len(), broken), (sent_down.len(), None));
    for (frame, sent) in frames.iter().zip(&sent_down) {
        assert_eq!(ToGateway::parse(frame), Ok(*sent));
    }
}

type Seen = (Vec<Vec<u8>>, Option<Broken>);

/// What an inbox makes of a stream that comes in pieces of these lengths.
fn feed(mut stream: &[u8], bytes_max: usize, mut piece: impl FnMut() -> usize) -> Seen {
    let mut inbox = Inbox::new(bytes_max);
    let mut frames = Vec::new();
    loop {
        match inbox.next_frame() {
            Ok(Some(frame)) => {
                frames.push(frame.to_vec());
                continue;
            }
            Err(broken) => return (frames, Some(broken)),
            Ok(None) if stream.is_empty() => return (frames, None),
            Ok(None) => {}
        }
        let space = inbox.space();
        assert!(!space.is_empty(), "a read into nothing looks like the end");
        assert!(space.len() <= bytes_max + READ_BYTES_MAX, "{} bytes", space.len());
        let count = space.len().min(stream.len()).min(piece());
        space[..count].copy_from_slice(&stream[..count]);
        inbox.filled(count);
        stream = &stream[count..];
    }
}

/// The same, in the plainest way.
fn frames(mut stream: &[u8], bytes_max: usize) -> Seen {
    let mut frames = Vec::new();
    while let Some((length, rest)) = stream.split_first_chunk() {
        let length = u32::from_le_bytes(*length);
        if length == 0 || length as usize > bytes_max {
            return (frames, Some(Broken::Length(length)));
        }
        let Some((frame, rest)) = rest.split_at_checked(length as usize) else { break };
        frames.push(frame.to_vec());
        stream = rest;
    }
    (frames, None)
}

fn without_length(bytes: &[u8]) -> &[u8] {
    let (length, frame) = bytes.split_first_chunk().expect("a length");
    assert_eq!(u32::from_le_bytes(*length) as usize, frame.len());
    frame
}

/// Up to so many of the next bytes.
fn take<'a>(material: &mut &'a [u8], most: usize) -> &'a [u8] {
    let (taken, rest) = material.split_at(most.min(material.len()));
    *material = rest;
    taken
}

/// Where a stream is cut; the input decides.
struct Dice(u64);

impl Dice {
    fn piece(&mut self) -> usize {
        self.0 = self.0.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
        let most = [1, 5, 300, 20_000][(self.0 >> 62) as usize];
        (self.0 >> 33) as usize % most + 1
    }
}

//! Frames come back as they were sent, however the stream cuts them, and nothing that a stranger
//! sends does harm.

use super::*;

/// A small generator of numbers: the same for every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.next() as u8).collect()
    }
}

fn samples() -> [FromGateway<'static>; 8] {
    [
        FromGateway::Ready,
        FromGateway::Request { uid: Some(0), identity: b"", body: b"" },
        FromGateway::Request { uid: None, identity: b"\0abcd", body: b"{\"command\": \"list\"}" },
        FromGateway::Request { uid: Some(4_294_967_294), identity: &[7; 255], body: &[0; 3000] },
        FromGateway::Subscribers(0),
        FromGateway::Subscribers(u32::MAX),
        FromGateway::Note { level: 0, text: "" },
        FromGateway::Note { level: 4, text: "cannot read the key: größer als erlaubt" },
    ]
}

fn all_of(inbox: &mut Inbox) -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    while let Some(frame) = inbox.next_frame().unwrap() {
        frames.push(frame.to_vec());
    }
    frames
}

fn feed(inbox: &mut Inbox, mut bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    while !bytes.is_empty() {
        let space = inbox.space();
        let count = space.len().min(bytes.len());
        space[..count].copy_from_slice(&bytes[..count]);
        inbox.filled(count);
        bytes = &bytes[count..];
        frames.append(&mut all_of(inbox));
    }
    frames
}

#[test]
fn what_a_gateway_says_comes_back_the_same() {
    for message in samples() {
        let mut out = Vec::new();
        message.append_to(&mut out);
        assert_eq!(out.len() - 4, u32::from_le_bytes(*out.first_chunk().unwrap()) as usize);
        assert_eq!(FromGateway::parse(&out[4..]), Ok(message));
    }
}

#[test]
fn what_circusd_says_comes_back_the_same() {
    let topic = [b't'; TOPIC_BYTES_MAX];
    let body = vec![b'b'; REPLY_BYTES_MAX];
    for message in [
        ToGateway::Reply { identity: b"one", body: b"{}" },
        ToGateway::Reply { identity: &[1; 255], body: &body },
        ToGateway::Publication { topic: b"watcher.web.spawn", body: b"{\"time\": 1.5}" },
        ToGateway::Publication { topic: b"", body: b"" },
        ToGateway::Publication { topic: &topic, body: &body },
    ] {
        let mut out = Vec::new();
        message.append_to(&mut out);
        assert!(out.len() - 4 <= FRAME_BYTES_MAX);
        assert_eq!(ToGateway::parse(&out[4..]), Ok(message));
    }
}

#[test]
fn the_bytes_are_those_of_the_contract() {
    let mut out = Vec::new();
    FromGateway::Request { uid: Some(1000), identity: b"ab", body: b"{}" }.append_to(&mut out);
    assert_eq!(out, b"\x0a\0\0\0\x01\xe8\x03\0\0\x02ab{}");
    out.clear();
    FromGateway::Request { uid: None, identity: b"", body: b"" }.append_to(&mut out);
    FromGateway::Subscribers(3).append_to(&mut out);
    FromGateway::Note { level: 2, text: "x" }.append_to(&mut out);
    FromGateway::Ready.append_to(&mut out);
    assert_eq!(
        out,
        b"\x06\0\0\0\x01\xff\xff\xff\xff\0\x05\0\0\0\x02\x03\0\0\0\x03\0\0\0\x03\x02x\x01\0\0\0\x04"
    );
    out.clear();
    ToGateway::Reply { identity: b"ab", body: b"{}" }.append_to(&mut out);
    ToGateway::Publication { topic: b"t", body: b"{}" }.append_to(&mut out);
    assert_eq!(out, b"\x06\0\0\0\x01\x02ab{}\x06\0\0\0\x02\x01\0t{}");
}

#[test]
fn a_stream_that_is_cut_anywhere_gives_the_same_frames() {
    let mut stream = Vec::new();
    for message in samples() {
        message.append_to(&mut stream);
    }
    for cut in 0..=stream.len() {
        let mut inbox = Inbox::new(FROM_GATEWAY_BYTES_MAX);
        let mut frames = feed(&mut inbox, &stream[..cut]);
        frames.append(&mut feed(&mut inbox, &stream[cut..]));
        let messages: Vec<_> = frames.iter().map(|f| FromGateway::parse(f).unwrap()).collect();
        assert_eq!(messages, samples(), "cut at {cut}");
    }
    let mut inbox = Inbox::new(FROM_GATEWAY_BYTES_MAX);
    let mut frames = Vec::new();
    for byte in stream.chunks(1) {
        frames.append(&mut feed(&mut inbox, byte));
    }
    assert_eq!(frames.len(), samples().len());
}

#[test]
fn random_frames_survive_random_cuts() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut inbox = Inbox::new(50_000);
    for _ in 0..200 {
        let frames: Vec<Vec<u8>> = (0..1 + random.below(20))
            .map(|_| {
                let limit = if random.below(8) == 0 { 50_000 } else { 300 };
                let length = 1 + random.below(limit);
                random.bytes(length)
            })
            .collect();
        let mut stream = Vec::new();
        for frame in &frames {
            stream.extend_from_slice(&(frame.len() as u32).to_le_bytes());
            stream.extend_from_slice(frame);
        }
        let mut rest = stream.as_slice();
        let mut got = Vec::new();
        while !rest.is_empty() {
            let (now, later) = rest.split_at(rest.len().min(1 + random.below(40_000)));
            got.append(&mut feed(&mut inbox, now));
            rest = later;
        }
        assert_eq!(got, frames);
    }
}

#[test]
fn a_length_of_zero_or_beyond_the_limit_is_broken_at_once() {
    for length in [0, 101, u32::MAX] {
        let mut inbox = Inbox::new(100);
        let space = inbox.space();
        space[..4].copy_from_slice(&length.to_le_bytes());
        inbox.filled(4);
        assert_eq!(inbox.next_frame(), Err(Broken::Length(length)));
        assert_eq!(inbox.next_frame(), Err(Broken::Length(length)));
        assert!(inbox.space().len() <= 16 << 10, "nothing is allocated for it");
    }
}

#[test]
fn memory_grows_for_a_long_frame_and_shrinks_after_it() {
    let mut inbox = Inbox::new(FRAME_BYTES_MAX);
    assert_eq!(inbox.buffer.capacity(), 0);
    let body = vec![1; REPLY_BYTES_MAX];
    let mut stream = Vec::new();
    ToGateway::Reply { identity: b"x", body: &body }.append_to(&mut stream);
    assert_eq!(feed(&mut inbox, &stream).len(), 1);
    assert!(inbox.buffer.capacity() > REPLY_BYTES_MAX);
    assert!(inbox.buffer.capacity() <= FRAME_BYTES_MAX + 4);
    inbox.space();
    assert!(inbox.buffer.capacity() <= 32 << 10, "{}", inbox.buffer.capacity());
}

#[test]
fn fields_beyond_their_limits_are_refused() {
    let frame = |kind: u8, length: usize| [vec![kind], vec![b'0'; length]].concat();
    let mut request = frame(1, 5 + REQUEST_BYTES_MAX + 1);
    request[5] = 0;
    assert_eq!(FromGateway::parse(&request), Err(Broken::Long));
    request.pop();
    assert!(FromGateway::parse(&request).is_ok());
    assert_eq!(FromGateway::parse(&frame(4, 1)), Err(Broken::Long));
    assert_eq!(FromGateway::parse(&frame(2, 5)), Err(Broken::Long));
    assert_eq!(FromGateway::parse(&[&[3, 5][..], b"x"].concat()), Err(Broken::Level(5)));
    assert_eq!(FromGateway::parse(&[3, 0, 0xff]), Err(Broken::Text));
    let note = [&[3, 0][..], &[b'x'; NOTE_BYTES_MAX + 1]].concat();
    assert_eq!(FromGateway::parse(&note), Err(Broken::Long));
    assert_eq!(FromGateway::parse(&[]), Err(Broken::Short));
    assert_eq!(FromGateway::parse(&[9]), Err(Broken::Kind(9)));
    assert_eq!(ToGateway::parse(&[3, 0]), Err(Broken::Kind(3)));
    assert_eq!(ToGateway::parse(&[2, 2, 0, b'x']), Err(Broken::Short));
    let mut reply = frame(1, 1 + REPLY_BYTES_MAX + 1);
    reply[1] = 0;
    assert_eq!(ToGateway::parse(&reply), Err(Broken::Long));
}

#[test]
fn a_note_is_cut_at_a_whole_letter() {
    let text = "é".repeat(NOTE_BYTES_MAX);
    let mut out = Vec::new();
    FromGateway::Note { level: 9, text: &format!("x{text}") }.append_to(&mut out);
    let Ok(FromGateway::Note { level: 4, text }) = FromGateway::parse(&out[4..]) else {
        panic!("a note")
    };
    assert_eq!(text.len(), NOTE_BYTES_MAX - 1);
}

#[test]
fn no_bytes_whatever_make_it_panic() {
    let mut random = Random(42);
    for round in 0..50_000 {
        let length = random.below(40);
        let mut bytes = random.bytes(length);
        // Half of them get far enough to be of a known kind.
        if let Some(kind) = bytes.first_mut()
            && round % 2 == 0
        {
            *kind %= 5;
        }
        let _ = FromGateway::parse(&bytes);
        let _ = ToGateway::parse(&bytes);
        let mut inbox = Inbox::new(random.below(64));
        let space = inbox.space();
        space[..bytes.len()].copy_from_slice(&bytes);
        inbox.filled(bytes.len());
        while let Ok(Some(frame)) = inbox.next_frame() {
            assert!(!frame.is_empty());
        }
    }
}

//! Bytes as they come from a stream → whole frames. Holds one read, or one frame if that is longer;
//! what a long frame needed is given back after it.

use super::{Broken, LENGTH_BYTES};

/// As much as one read takes: dozens of usual frames.
const READ_BYTES: usize = 16 << 10;

/// The frames that have come in part or whole and were not taken yet.
#[derive(Debug)]
pub struct Inbox {
    /// All of it is initialized; what has come is `start..end`.
    pub(super) buffer: Vec<u8>,
    start: usize,
    end: usize,
    frame_bytes_max: usize,
}

impl Inbox {
    /// An empty one, which takes no memory before something comes. A frame (without its length)
    /// beyond the limit is broken.
    pub fn new(frame_bytes_max: usize) -> Inbox {
        Inbox { buffer: Vec::new(), start: 0, end: 0, frame_bytes_max }
    }

    /// Where the next bytes go; never empty. First take all whole frames with `next_frame`, or
    /// memory grows.
    pub fn space(&mut self) -> &mut [u8] {
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        let mut wanted = READ_BYTES;
        if let Some(Ok(length)) = self.frame_length() {
            wanted = wanted.max(LENGTH_BYTES + length);
        }
        if wanted <= self.end {
            wanted = self.end + READ_BYTES;
        }
        if self.buffer.len() != wanted {
            let mut buffer = vec![0; wanted];
            buffer[..self.end].copy_from_slice(&self.buffer[..self.end]);
            self.buffer = buffer;
        }
        &mut self.buffer[self.end..]
    }

    /// So many bytes have come to the start of `space`.
    pub fn filled(&mut self, count: usize) {
        assert!(count <= self.buffer.len() - self.end, "no more than there was space for");
        self.end += count;
    }

    /// Take the next whole frame, without its length. After an error nothing more can be read.
    pub fn next_frame(&mut self) -> Result<Option<&[u8]>, Broken> {
        let Some(length) = self.frame_length().transpose()? else { return Ok(None) };
        let start = self.start + LENGTH_BYTES;
        if self.end - start < length {
            return Ok(None);
        }
        self.start = start + length;
        Ok(Some(&self.buffer[start..self.start]))
    }

    /// What the next frame says of its length, if that much has come.
    fn frame_length(&self) -> Option<Result<usize, Broken>> {
        let field = self.buffer[self.start..self.end].first_chunk::<LENGTH_BYTES>()?;
        let length = u32::from_le_bytes(*field);
        Some(match usize::try_from(length) {
            Ok(length) if (1..=self.frame_bytes_max).contains(&length) => Ok(length),
            Ok(_) | Err(_) => Err(Broken::Length(length)),
        })
    }
}

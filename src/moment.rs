//! Time as the core sees it: a point on a clock that only goes forward. The library reads no clock;
//! whoever calls it says what time it is.

/// Milliseconds on the monotonic clock. The zero means nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Moment(u64);

impl Moment {
    /// From milliseconds of the monotonic clock.
    pub fn from_ms(ms: u64) -> Moment {
        Moment(ms)
    }

    /// Milliseconds of the monotonic clock.
    pub fn as_ms(self) -> u64 {
        self.0
    }

    /// So much later; the far end of time stays there.
    #[must_use]
    pub fn after_ms(self, ms: u64) -> Moment {
        Moment(self.0.saturating_add(ms))
    }

    /// Milliseconds since `earlier`, 0 if that is in the future.
    pub fn since_ms(self, earlier: Moment) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

//! The clocks. Decisions use the monotonic one only, so that a stepped wall clock changes nothing.

use crate::moment::Moment;

fn read(clock: libc::clockid_t) -> (i64, i64) {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is ours to write; all these clocks exist on every Linux.
    unsafe { libc::clock_gettime(clock, &mut time) };
    (time.tv_sec, time.tv_nsec)
}

/// Now, on the monotonic clock.
pub fn now() -> Moment {
    let (s, ns) = read(libc::CLOCK_MONOTONIC);
    Moment::from_ms(s as u64 * 1000 + ns as u64 / 1_000_000)
}

/// Seconds since the boot, times of sleep included: the clock by which processes begin.
pub fn since_boot() -> f64 {
    let (s, ns) = read(libc::CLOCK_BOOTTIME);
    s as f64 + ns as f64 / 1e9
}

/// How long it is until then, as the kernel takes it; nothing if that is past.
pub(super) fn time_until(moment: Moment) -> libc::timespec {
    let ms = moment.since_ms(now());
    libc::timespec {
        tv_sec: (ms / 1000) as libc::time_t,
        tv_nsec: (ms % 1000 * 1_000_000) as libc::c_long,
    }
}

/// The wall clock: seconds since 1970 and microseconds.
pub fn wall() -> (i64, u32) {
    let (s, ns) = read(libc::CLOCK_REALTIME);
    (s, (ns / 1000) as u32)
}

/// A wall time by a strftime(3) pattern, in local time or UTC.
pub fn format(seconds: i64, pattern: &std::ffi::CStr, utc: bool) -> String {
    let mut buffer = [0u8; 512];
    let time = seconds as libc::time_t;
    // SAFETY: `tm` and `buffer` are ours, and their sizes are given; the pattern ends in NUL.
    let length = unsafe {
        let mut tm: libc::tm = core::mem::zeroed();
        if utc {
            libc::gmtime_r(&time, &mut tm)
        } else {
            libc::localtime_r(&time, &mut tm)
        };
        libc::strftime(buffer.as_mut_ptr().cast(), buffer.len(), pattern.as_ptr(), &tm)
    };
    String::from_utf8_lossy(&buffer[..length]).into_owned()
}

/// Seconds by which local time is ahead of UTC at a wall time.
pub fn local_offset(seconds: i64) -> i64 {
    let time = seconds as libc::time_t;
    // SAFETY: `tm` is ours to write; it holds numbers, for which zero is a value.
    unsafe {
        let mut tm: libc::tm = core::mem::zeroed();
        libc::localtime_r(&time, &mut tm);
        tm.tm_gmtoff as i64
    }
}

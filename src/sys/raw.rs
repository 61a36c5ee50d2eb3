//! System calls without libc, for a new process that still shares our memory: libc's wrappers
//! write `errno`, which would be ours.

use core::arch::asm;

/// A system call. Returns the kernel's value: negative numbers are errors.
///
/// # Safety
/// As for the system call itself.
#[cfg(target_arch = "x86_64")]
pub(super) unsafe fn syscall(number: libc::c_long, args: [usize; 5]) -> isize {
    let result: isize;
    // SAFETY: the x86-64 system call convention; rcx and r11 are clobbered, no stack is used.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") number as isize => result,
            in("rdi") args[0],
            in("rsi") args[1],
            in("rdx") args[2],
            in("r10") args[3],
            in("r8") args[4],
            lateout("rcx") _,
            lateout("r11") _,
            options(nostack)
        );
    }
    result
}

/// A system call. Returns the kernel's value: negative numbers are errors.
///
/// # Safety
/// As for the system call itself.
#[cfg(target_arch = "aarch64")]
pub(super) unsafe fn syscall(number: libc::c_long, args: [usize; 5]) -> isize {
    let result: isize;
    // SAFETY: the AArch64 system call convention; no stack is used.
    unsafe {
        asm!(
            "svc 0",
            in("x8") number,
            inlateout("x0") args[0] => result,
            in("x1") args[1],
            in("x2") args[2],
            in("x3") args[3],
            in("x4") args[4],
            options(nostack)
        );
    }
    result
}

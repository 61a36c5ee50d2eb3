//! Builds libzmq 4.3.5 from source, static, with CURVE by libsodium.

use std::env;

/// What libzmq's own configure script would find out on Linux and `zeromq-src` does not tell it.
/// Without these its epoll descriptors leak into every child, and the uid of a peer is unknown.
///
/// `HAVE_FORK` is left out on purpose: it guards a context against use in a forked child by asking
/// for our process id eight times a request, and nothing that has a context here forks without exec.
const FOUND_ON_LINUX: [&str; 19] = [
    "HAVE_ACCEPT4",
    "HAVE_CLOCK_GETTIME",
    "HAVE_IF_NAMETOINDEX",
    "HAVE_MKDTEMP",
    "ZMQ_HAVE_EVENTFD",
    "ZMQ_HAVE_EVENTFD_CLOEXEC",
    "ZMQ_HAVE_IFADDRS",
    "ZMQ_HAVE_NOEXCEPT",
    "ZMQ_HAVE_O_CLOEXEC",
    "ZMQ_HAVE_PPOLL",
    "ZMQ_HAVE_PTHREAD_SETNAME_2",
    "ZMQ_HAVE_SOCK_CLOEXEC",
    "ZMQ_HAVE_SO_KEEPALIVE",
    "ZMQ_HAVE_SO_PEERCRED",
    "ZMQ_HAVE_TCP_KEEPALIVE",
    "ZMQ_HAVE_TCP_KEEPCNT",
    "ZMQ_HAVE_TCP_KEEPIDLE",
    "ZMQ_HAVE_TCP_KEEPINTVL",
    "ZMQ_IOTHREAD_POLLER_USE_EPOLL_CLOEXEC",
];

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let metadata = |key: &str| env::var(key).expect("libsodium-sys-stable says where it is");
    let sodium =
        zeromq_src::LibLocation::new(metadata("DEP_SODIUM_LIB"), metadata("DEP_SODIUM_INCLUDE"));

    // The compiler crate reads this, and there is no other way in.
    let target = env::var("TARGET").expect("cargo sets it");
    let variable = format!("CXXFLAGS_{}", target.replace('-', "_"));
    println!("cargo:rerun-if-env-changed={variable}");
    let mut flags = env::var(&variable).unwrap_or_default();
    if target.contains("linux") {
        for name in FOUND_ON_LINUX {
            flags.push_str(" -D");
            flags.push_str(name);
        }
    }
    env::set_var(variable, flags);

    zeromq_src::Build::new().with_libsodium(Some(sodium)).build();
}

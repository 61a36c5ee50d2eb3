//! The images of the tests. Those that take long are made once and kept under their tag; those
//! that contain the program are made in each run, by layers that the engine has cached.

use crate::docker::{self, docker, must};
use nix::fcntl::{Flock, FlockArg};
use std::env;
use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{OnceLock, RwLock};

/// Debian without anything that is not essential.
const DEBIAN: &str = "circus-test/debian:bookworm";

type Made = OnceLock<Result<String, String>>;

/// Debian with circusd at /circusd, which is its entry point, and circusctl in PATH.
#[track_caller]
pub fn circusd() -> String {
    static MADE: Made = OnceLock::new();
    once(&MADE, || with_programs("subject", &debian(), "/usr/local/bin/"))
}

/// The same without circusctl.
#[track_caller]
pub fn circusd_alone() -> String {
    static MADE: Made = OnceLock::new();
    once(&MADE, || {
        let context = context("alone");
        let dockerfile = format!("FROM {}\nCOPY circusd /circusd\n{ENTRYPOINT}", debian());
        build_in(&context, "alone", &dockerfile)
    })
}

/// Nothing but the two programs.
#[track_caller]
pub fn scratch() -> String {
    static MADE: Made = OnceLock::new();
    once(&MADE, || with_programs("scratch", "scratch", "/"))
}

/// The same with nginx, redis, Python and procps.
#[track_caller]
pub fn services() -> String {
    static MADE: Made = OnceLock::new();
    once(&MADE, || with_programs("services-subject", &services_alone(), "/usr/local/bin/"))
}

/// The same with Circus's own package from PyPI: its circusctl is the one in PATH, ours is beside
/// circusd. `None` where PyPI cannot be reached: then the test is to be skipped.
#[track_caller]
pub fn python() -> Option<String> {
    static MADE: OnceLock<Result<Result<String, String>, String>> = OnceLock::new();
    let made = MADE.get_or_init(|| {
        tried(|| {
            let tag = "circus-test/python:0.19.0";
            let base = services_alone();
            let built = locked(|| match exists(tag) {
                true => Ok(()),
                false => build_with(tag, "python.Dockerfile", &base),
            });
            built.map(|()| with_programs("python-subject", tag, "/"))
        })
    });
    let made = made.clone().expect("the first test that needed it says why");
    if let Err(output) = &made {
        let last = output.lines().rfind(|line| line.contains("ERROR")).unwrap_or(output);
        let why = format!("circus 0.19.0 could not be had from PyPI: {}", last.trim());
        assert!(env::var_os("CIRCUS_REQUIRE_PYPI").is_none(), "{why}");
        docker::skipped(&why);
    }
    made.ok()
}

/// nginx, redis, Python and procps on Debian.
fn services_alone() -> String {
    static MADE: Made = OnceLock::new();
    once(&MADE, || {
        let tag = "circus-test/services:bookworm";
        let base = debian();
        locked(|| {
            if !exists(tag) {
                build_with(tag, "services.Dockerfile", &base).expect("the services can be had");
            }
        });
        tag.to_owned()
    })
}

/// The same with PostgreSQL, its programs in PATH.
#[track_caller]
pub fn database() -> String {
    static MADE: Made = OnceLock::new();
    once(&MADE, || {
        let tag = "circus-test/database:bookworm";
        let base = services_alone();
        locked(|| {
            if !exists(tag) {
                build_with(tag, "database.Dockerfile", &base).expect("PostgreSQL can be had");
            }
        });
        with_programs("database-subject", tag, "/usr/local/bin/")
    })
}

/// nginx and servers that take sockets which somebody else has bound, their programs in PATH.
#[track_caller]
pub fn servers() -> String {
    static MADE: Made = OnceLock::new();
    once(&MADE, || {
        let tag = "circus-test/servers:bookworm";
        let base = services_alone();
        locked(|| {
            if !exists(tag) {
                build_with(tag, "servers.Dockerfile", &base).expect("the servers can be had");
            }
        });
        with_programs("servers-subject", tag, "/usr/local/bin/")
    })
}

/// Debian; made by debootstrap where possible, else pulled.
#[track_caller]
pub fn debian() -> String {
    static MADE: Made = OnceLock::new();
    once(&MADE, || {
        locked(|| {
            if !exists(DEBIAN) {
                make_debian();
            }
        });
        DEBIAN.to_owned()
    })
}

/// Debian with a C++ compiler, make and the Rust toolchain that these tests were built with.
#[track_caller]
pub fn builder() -> String {
    static MADE: Made = OnceLock::new();
    once(&MADE, || {
        let version = printed("rustc", &["--version"]);
        let tag =
            format!("circus-test/builder-cxx:{}", version.split(' ').nth(1).expect("a number"));
        let base = debian();
        locked(|| {
            if !exists(&tag) {
                make_builder(&tag, &base);
            }
        });
        tag
    })
}

/// `docker build` of a folder of the project. The tag is this checkout's own.
#[track_caller]
pub fn build(name: &str, folder: &str, options: &[&str]) -> String {
    let tag = own_tag(name);
    let folder = project().join(folder);
    let folder = folder.to_str().expect("the project's path is text");
    let label = docker::LABEL;
    let head = ["build", "-q", "--network", "host", "--label", label, "-t", &tag];
    // An image that is just being made has no tag yet: nothing is removed meanwhile.
    static BUILDING: RwLock<()> = RwLock::new(());
    let building = BUILDING.read();
    must(&[&head, options, &[folder]].concat());
    drop(building);
    if let Ok(_alone) = BUILDING.try_write() {
        prune(&["--filter", &format!("label={label}")]);
        // A stage is the cache of the next build as long as the sources are the same.
        prune(&["--filter", "label=circus-test-stage", "--filter", "until=24h"]);
    }
    tag
}

/// Where tarballs, build contexts and configurations are kept.
pub fn workshop() -> PathBuf {
    let path = project().join("target/integration");
    fs::create_dir_all(&path).expect("target/ is writable");
    path
}

/// The project's folder.
pub fn project() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

const ENTRYPOINT: &str = "ENTRYPOINT [\"/circusd\"]\n";

/// An image with the programs on top of another; only the last layer is new.
fn with_programs(name: &str, base: &str, circusctl: &str) -> String {
    let context = context(name);
    program("CIRCUSCTL", env!("CARGO_BIN_EXE_circusctl"), &context.join("circusctl"));
    let copies = format!("COPY circusd /circusd\nCOPY circusctl {circusctl}\n");
    build_in(&context, name, &format!("FROM {base}\n{copies}{ENTRYPOINT}"))
}

/// A folder for the build of an image, with circusd in it.
fn context(name: &str) -> PathBuf {
    let context = workshop().join(name);
    fs::create_dir_all(&context).expect("target/ is writable");
    program("CIRCUSD", env!("CARGO_BIN_EXE_circusd"), &context.join("circusd"));
    context
}

/// Takes the program that was built, or the one that the environment names. What only a debugger
/// reads stays behind: it would be copied into every image.
fn program(variable: &str, built: &str, to: &Path) {
    let from = env::var_os(variable).unwrap_or(built.into());
    let mut strip = Command::new("strip");
    strip.arg("-o").arg(to).arg(&from).stdin(Stdio::null());
    if !strip.status().is_ok_and(|status| status.success()) {
        fs::copy(from, to).expect("the program was built");
    }
}

fn build_in(context: &Path, name: &str, dockerfile: &str) -> String {
    fs::write(context.join("Dockerfile"), dockerfile).expect("target/ is writable");
    build(name, &format!("target/integration/{name}"), &[])
}

fn make_debian() {
    let tarball = workshop().join("debian.tar");
    let path = tarball.to_str().expect("the project's path is text");
    if !tarball.exists() {
        let script = project().join("integration/debian.sh");
        let log = File::create(workshop().join("debian.log")).expect("target/ is writable");
        let twin = log.try_clone().expect("a descriptor can be copied");
        let mut made = Command::new(script);
        made.arg(path).stdin(Stdio::null()).stdout(log).stderr(twin);
        if !made.status().is_ok_and(|status| status.success()) {
            let public = "debian:bookworm-slim";
            must(&["pull", "-q", public]);
            must(&["tag", public, DEBIAN]);
            return;
        }
    }
    must(&["import", "--change", "CMD [\"bash\"]", path, DEBIAN]);
}

/// The toolchain goes to the engine as a stream: it is large, and no copy of it is needed.
fn make_builder(tag: &str, base: &str) {
    let toolchain = printed("rustc", &["--print", "sysroot"]);
    let mut tar = Command::new("tar");
    tar.args([
        "-c",
        "-C",
        &toolchain,
        "--exclude=lib/rustlib/src",
        "bin/cargo",
        "bin/rustc",
        "lib",
    ]);
    tar.arg("-C").arg(project().join("integration")).arg("builder.Dockerfile");
    let mut tar = tar.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("tar is there");
    let stream = tar.stdout.take().expect("it was piped");
    let base = format!("BASE={base}");
    let args = ["build", "-q", "--network", "host", "--build-arg", &base, "-t", tag];
    let rest = ["-f", "builder.Dockerfile", "-"];
    let built = docker::command(&[&args[..], &rest].concat()).stdin(stream).output();
    let built = built.expect("docker was found before");
    assert!(tar.wait().is_ok_and(|status| status.success()), "tar failed");
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
}

/// The error is what was printed.
fn build_with(tag: &str, dockerfile: &str, base: &str) -> Result<(), String> {
    let context = project().join("integration");
    let file = context.join(dockerfile);
    let base = format!("BASE={base}");
    let file = file.to_str().expect("the project's path is text");
    let context = context.to_str().expect("the project's path is text");
    let head = ["build", "--network", "host", "--build-arg", &base];
    let built = docker(&[&head[..], &["-f", file, "-t", tag, context]].concat());
    let built = built.expect("docker was found before");
    if built.code == 0 { Ok(()) } else { Err(built.stdout + &built.stderr) }
}

/// A tag that two checkouts of the project do not share.
fn own_tag(name: &str) -> String {
    let mut hash = DefaultHasher::new();
    project().hash(&mut hash);
    format!("circus-test/{name}:{:08x}", hash.finish() as u32)
}

/// Removes images that have lost their tag to a newer one.
fn prune(filters: &[&str]) {
    let _ = docker(&[&["image", "prune", "-f"], filters].concat());
}

fn exists(tag: &str) -> bool {
    docker(&["image", "inspect", tag]).is_ok_and(|ended| ended.code == 0)
}

/// One test run at a time makes what all share. Not to be nested: it would wait for itself.
fn locked<T>(make: impl FnOnce() -> T) -> T {
    let file = File::create(env::temp_dir().join("circus-test.lock")).expect("/tmp is writable");
    let lock = Flock::lock(file, FlockArg::LockExclusive);
    let lock = lock.map_err(|(_, errno)| errno).expect("a file can be locked");
    let made = make();
    drop(lock);
    made
}

/// Makes it once in this run; when that failed, every further test fails at once.
#[track_caller]
fn once(made: &Made, make: impl FnOnce() -> String) -> String {
    let made = made.get_or_init(|| tried(make));
    made.clone().expect("the first test that needed it says why")
}

fn tried<T>(make: impl FnOnce() -> T) -> Result<T, String> {
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(make));
    result.map_err(|_| "this image could not be made".to_owned())
}

fn printed(program: &str, args: &[&str]) -> String {
    let output = Command::new(program).args(args).output().expect("the toolchain is there");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

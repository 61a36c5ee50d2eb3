//! The examples and the image of the program, built as a user builds them and used from outside.

use crate::container::Container;
use crate::deadline::wait_until;
use crate::docker::{self, must};
use crate::image;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// Builds an example on local images.
#[track_caller]
fn build(name: &str) -> String {
    let circus = format!("CIRCUS={}", image::scratch());
    let base = format!("BASE={}", image::debian());
    let options = ["--build-arg", &circus, "--build-arg", &base];
    image::build(&format!("example-{name}"), &format!("examples/{name}"), &options)
}

/// Asks the container's published port for `/` until it answers 200; returns the text.
#[track_caller]
fn get(container: &Container) -> String {
    let answer = wait_until(
        "the service answers",
        || request(container.name()),
        |answer| answer.as_ref().is_ok_and(|text| text.contains(" 200 OK\r\n")),
    );
    let answer = answer.expect("only an answer was accepted");
    answer.split_once("\r\n\r\n").map_or(String::new(), |(_, body)| body.to_owned())
}

fn request(name: &str) -> io::Result<String> {
    let address = must(&["port", name]);
    let address = address.lines().next().and_then(|line| line.rsplit_once(" -> "));
    let (_, address) = address.ok_or(io::ErrorKind::NotFound)?;
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    stream.write_all(b"GET / HTTP/1.0\r\nHost: localhost\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

#[test]
fn the_web_stack_serves_heals_and_stops() {
    if !docker::is_here() {
        return;
    }
    let image = build("web-stack");
    let container = Container::run(&["-p", "127.0.0.1::80"], &image, &[]);
    assert_eq!(get(&container), "visits: 1\n");
    assert_eq!(get(&container), "visits: 2\n");
    for service in ["nginx: master", "gunicorn", "redis-server"] {
        // Of a service and its own children the service is the oldest.
        let oldest = || {
            let all = container.processes().into_iter();
            all.filter(|one| one.command_line.contains(service)).map(|one| one.pid).min()
        };
        let before = wait_until("it runs", oldest, Option::is_some);
        container.sh(&format!("kill -9 {}", before.unwrap_or_default()));
        wait_until("it is replaced", oldest, |pid| pid.is_some() && *pid != before);
        get(&container);
    }
    container.wait_for_no_zombie();
    let logs = container.logs();
    assert!(logs.contains("GET / "), "nginx logs to stdout");
    assert!(logs.contains("Ready to accept connections"), "redis logs to stdout");
    let time = container.stop(10);
    assert!(time.as_secs() < 5, "the stop took {time:?}");
    assert_eq!(container.exit_code(), 0);
}

#[test]
fn the_workers_behind_nginx_are_reloaded_and_resized_while_it_asks() {
    if !docker::is_here() {
        return;
    }
    let image = build("reload-without-loss");
    let container = Container::run(&["-p", "127.0.0.1::80"], &image, &[]);
    assert!(get(&container).starts_with("served by "));
    let name = container.name().to_owned();
    let (end, ended) = std::sync::mpsc::channel::<()>();
    let client = std::thread::spawn(move || {
        let mut count = 0;
        while ended.try_recv().is_err() {
            let answer = request(&name).expect("an answer");
            assert!(answer.contains(" 200 OK\r\n") && answer.contains("served by"), "{answer}");
            count += 1;
        }
        count
    });
    for words in [
        &["reload", "app", "--waiting"][..],
        &["reload", "app", "--sequential", "--waiting"],
        &["incr", "app", "--waiting"],
        &["decr", "app", "--waiting"],
        &["restart", "app", "--waiting"],
    ] {
        container.operate(&[&["--timeout", "60"], words].concat());
    }
    let _ = end.send(());
    assert!(client.join().expect("every request was answered") > 0);
    container.stop(20);
    assert_eq!(container.exit_code(), 0);
}

#[test]
fn the_server_starts_after_the_migration() {
    if !docker::is_here() {
        return;
    }
    let image = build("migrate-then-serve");
    let container = Container::run(&["-p", "127.0.0.1::8000"], &image, &[]);
    assert_eq!(get(&container), "schema version 2\n");
    container.stop(10);
    assert_eq!(container.exit_code(), 0);
    container.start();
    assert_eq!(get(&container), "schema version 2\n");
    assert_eq!(container.count("migrated to version 2"), 1);
    assert_eq!(container.count("nothing to migrate"), 1);
}

#[test]
fn a_failed_migration_ends_the_container_with_its_code() {
    if !docker::is_here() {
        return;
    }
    let image = build("migrate-then-serve");
    let options = ["-e", "DATABASE=/no/such/folder/app.db"];
    let container = Container::run(&options, &image, &[]);
    assert_eq!(container.exit_code(), 3);
    assert!(!container.logs().contains("serving"), "the server was started");
}

#[test]
fn the_entry_point_example_serves_and_stops_at_once() {
    if !docker::is_here() {
        return;
    }
    let image = build("entrypoint");
    let container = Container::run(&["-p", "127.0.0.1::8000"], &image, &[]);
    assert!(get(&container).contains("Directory listing"));
    let time = container.stop(10);
    assert!(time.as_secs() < 5, "the stop took {time:?}");
    assert_eq!(container.exit_code(), 143);
}

#[test]
fn the_image_of_the_programs_holds_two_static_files_that_run() {
    if !docker::is_here() {
        return;
    }
    let builder = format!("BUILDER={}", image::builder());
    let file = image::project().join("docker/Dockerfile");
    let file = file.to_str().expect("the project's path is text");
    let image = image::build("circus", "", &["-f", file, "--build-arg", &builder]);
    let version = Container::to_end(&[], &image, &["--version"]);
    assert_eq!(version.code, 0, "{version:?}");
    assert!(version.stdout.contains(env!("CARGO_PKG_VERSION")), "{version:?}");
    let twice = Container::to_end(&[], &image, &["--", "/circusd", "--version"]);
    assert_eq!((twice.code, twice.stdout), (0, version.stdout));
    let circusctl = Container::to_end(&[], &image, &["--", "/circusctl", "--version"]);
    assert_eq!(circusctl.code, 0, "{circusctl:?}");
    let size = must(&["image", "inspect", "-f", "{{.Size}}", &image]);
    let size: u64 = size.parse().expect("docker prints a number");
    assert!(size <= 6_500_000, "the image has {size} bytes");
}

//! Endpoints that other machines reach: only with CURVE, and only for keys that are listed.

use crate::container::Container;
use crate::image;
use crate::{docker, docker::Ended};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const HELPERS: &str = "/helpers";

/// Pairs of keys in a folder of this test; removed with it.
struct Keys(PathBuf);

impl Keys {
    /// Made by `circusctl keygen`; circusd knows the pair `friend`.
    fn new(name: &str) -> Keys {
        let folder = image::workshop().join(format!("keys-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("target/ is writable");
        for pair in ["server", "friend", "stranger"] {
            let mut keygen = Command::new(env!("CARGO_BIN_EXE_circusctl"));
            keygen.arg("keygen").arg("--output").arg(folder.join(pair)).stdin(Stdio::null());
            let made = keygen.output().expect("circusctl was built");
            assert!(made.status.success(), "{made:?}");
        }
        fs::write(folder.join("authorized"), public_key(&folder.join("friend.key")) + "\n")
            .expect("target/ is writable");
        Keys(folder)
    }

    fn volume(&self) -> String {
        format!("{}:/keys:ro", self.0.display())
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn public_key(certificate: &Path) -> String {
    let text = fs::read_to_string(certificate).expect("keygen has written it");
    let key = text.lines().find_map(|line| line.trim().strip_prefix("public-key = "));
    key.expect("it has one").trim_matches('"').to_owned()
}

/// circusd that every machine of the network reaches, and its address.
fn served(keys: &Keys) -> (Container, String) {
    let ini = "[circus]\nendpoint = tcp://0.0.0.0:5555\npubsub_endpoint = tcp://0.0.0.0:5556\n\
               curve_secret_key = /keys/server.key_secret\ncurve_authorized_keys = /keys/authorized\n\
               [watcher:web]\ncmd = sleep 1001\n";
    let container = Container::with_config(&["-v", &keys.volume()], ini);
    container.wait_for("web started");
    let address = container.inspect("{{.NetworkSettings.IPAddress}}");
    (container, address)
}

/// In a container of its own, of this image.
fn neighbour(keys: &Keys, image: &str) -> Container {
    let helpers = format!("{}:{HELPERS}:ro", image::project().join("integration/python").display());
    let options = ["-v", &keys.volume(), "-v", &helpers];
    Container::run(&options, image, &["--", "sleep", "1000"])
}

#[test]
fn another_container_gets_in_with_the_right_key_and_a_clear_word_with_a_wrong_one() {
    if !docker::is_here() {
        return;
    }
    let keys = Keys::new("word");
    let (container, address) = served(&keys);
    let other = neighbour(&keys, &image::circusd());
    let status = |timeout: &str, own: &[&str]| -> Ended {
        let endpoint = format!("tcp://{address}:5555");
        let words = ["--endpoint", &endpoint, "--timeout", timeout, "status"];
        other.circusctl(&[&words, own].concat())
    };
    let [friend, stranger] = ["friend", "stranger"].map(|name| format!("/keys/{name}.key_secret"));
    let (server, false_server) = ("/keys/server.key", "/keys/stranger.key");
    let ended = status("30", &["--curve-key", &friend, "--curve-server-key", server]);
    assert_eq!((ended.code, &*ended.stdout), (0, "web: active\n"), "{ended:?}");
    let about_keys = "Is --curve-server-key its public key, and ours in its curve_authorized_keys?";
    for (words, hint) in [
        (&["--curve-key", &stranger, "--curve-server-key", server][..], about_keys),
        (&["--curve-key", &friend, "--curve-server-key", false_server], about_keys),
        (&[], "give --curve-key and --curve-server-key"),
    ] {
        let ended = status("1", words);
        assert_eq!((ended.code, &*ended.stdout), (1, ""), "{ended:?}");
        assert!(ended.stderr.starts_with("error: timed out: "), "{ended:?}");
        assert!(ended.stderr.contains(hint), "{ended:?}");
    }
    let ended = status("30", &["--curve-key", &friend, "--curve-server-key", server]);
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(!container.has_line(&["gateway"]), "{}", container.logs());
}

#[test]
fn pyzmq_gets_in_with_the_keys_that_keygen_made() {
    if !docker::is_here() {
        return;
    }
    let Some(image) = image::python() else { return };
    let keys = Keys::new("pyzmq");
    let (_container, address) = served(&keys);
    let other = neighbour(&keys, &image);
    let [control, pubsub] = [5555, 5556].map(|port| format!("tcp://{address}:{port}"));
    let words = [&*control, &pubsub, "/keys/friend.key_secret", "/keys/server.key"];
    let ended = other.exec(&[&["python3", "/helpers/curve.py"], &words[..]].concat());
    let printed = "pyzmq has its answer and its publication\n";
    assert_eq!((ended.code, &*ended.stdout), (0, printed), "{ended:?}");
}

//! What Circus refuses because it is at work with something else. Here it is carried out, each
//! such request in a conversation of its own.

use crate::clients::Clients;
use crate::differences::is_conflict;
use crate::json::Json;
use crate::places::Places;
use crate::plans::{PLANS, Plan};
use crate::record::{self, Heard, Sent, Step};
use crate::replay::Target;
use crate::world::{Running, World, until};
use std::collections::BTreeMap;
use std::fs;

/// Requests that Circus refused in this recording, each once.
fn refused(plan: &Plan) -> Vec<Json> {
    let mut found: BTreeMap<String, Json> = BTreeMap::new();
    for step in record::parts(plan.name, &str::to_owned).into_iter().flatten() {
        let Step::Exchange(exchange) = step else { continue };
        let (Sent::Json(mut request), Some(Heard::Reply(reply))) =
            (exchange.request, exchange.reply)
        else {
            continue;
        };
        if is_conflict(&reply) {
            request.set("id", Json::Text("refused".to_owned()));
            found.entry(request.to_string()).or_insert(request);
        }
    }
    assert!(!found.is_empty(), "{} has conflicts", plan.name);
    found.into_values().collect()
}

fn plan(name: &str) -> &'static Plan {
    PLANS.iter().find(|plan| plan.name == name).expect("a plan of that name")
}

fn start(plan: &Plan) -> (Running, Clients) {
    let world = World::pid_1("");
    let places = Places::new(plan, &Target::Here, &world.folder);
    for (name, text) in plan.scripts {
        world.write(name, text);
    }
    let ini = places.configuration(plan, &record::read(&format!("{}.ini", plan.name)));
    fs::write(world.folder.join("circus.ini"), ini).expect("a file for the test");
    (world.words(&["circus.ini"]).start(), Clients::new(&places.endpoint))
}

fn ask(clients: &mut Clients, request: &str) -> Json {
    let text = clients.ask("main", request.as_bytes()).expect("a reply");
    Json::parse(&text).expect("JSON")
}

/// While a watcher is being stopped that takes its time.
pub fn during_a_slow_stop() -> Vec<String> {
    let plan = plan("conflict");
    let mut problems = Vec::new();
    for request in refused(plan) {
        let (mut running, mut clients) = start(plan);
        let slow = running.wait_for_children("/bin/sh ./slow.sh", 2);
        let term = 1 << 14;
        until("the scripts wait for signals", || {
            slow.iter().all(|process| process.mask("SigCgt") & term != 0)
        });
        let stopped =
            ask(&mut clients, r#"{"command": "stop", "properties": {"name": "slow"}, "id": "s"}"#);
        assert_eq!(stopped.get("status").text(), Some("ok"), "{stopped}");
        let status = r#"{"command": "status", "properties": {"name": "slow"}}"#;
        assert_eq!(ask(&mut clients, status).get("status").text(), Some("stopping"));
        let waits = request.get("properties").get("waiting") == &Json::Bool(true);
        if waits {
            running.write("go", "");
        }
        let reply = ask(&mut clients, &request.to_string());
        if reply.get("status").text() != Some("ok") || reply.get("id").text() != Some("refused") {
            problems.push(format!("{request}: {reply}"));
        }
        running.write("go", "");
        if request.get("command").text() == Some("quit") {
            assert_eq!(running.exit_code(), 0, "{request}");
            continue;
        }
        until("the slow watcher is no longer being stopped", || {
            ask(&mut clients, status).get("status").text() != Some("stopping")
        });
        running.stop();
    }
    problems
}

/// While the watchers start one after the other, with pauses.
pub fn during_a_slow_start() -> Vec<String> {
    let plan = plan("priority");
    let (mut running, mut clients) = start(plan);
    let mut problems = Vec::new();
    for request in refused(plan) {
        let reply = ask(&mut clients, &request.to_string());
        if reply.get("status").text() != Some("ok") {
            problems.push(format!("{request}: {reply}"));
        }
    }
    let status = ask(&mut clients, r#"{"command": "status"}"#);
    if status.get("statuses").get("during").text() != Some("stopped") {
        problems.push(format!("not added: {status}"));
    }
    running.stop();
    problems
}

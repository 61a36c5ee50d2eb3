//! More of everything than there is room for.

use crate::house::House;
use crate::world::namespaces_are_possible;
use crate::zmtp::{DEADLINE, Kind};

#[test]
fn connections_beyond_the_limit_of_descriptors_are_outlived() {
    if !namespaces_are_possible() {
        return;
    }
    // The gateway inherits it.
    let house = House::behind(&["prlimit", "--nofile=96:96"]);
    for round in 0..3 {
        let mut strangers: Vec<_> = (0..300).filter_map(|number| house.stranger(number)).collect();
        for stranger in &mut strangers {
            let _ = stranger.write(&crate::zmtp::greeting());
        }
        let guests: Vec<_> = (0..20).filter_map(|_| house.guest(Kind::Dealer)).collect();
        drop((strangers, guests));
        house.stands(&format!("flood {round} of connections"));
    }
    house.close();
}

#[test]
fn subscriptions_without_number_are_outlived() {
    if !namespaces_are_possible() {
        return;
    }
    let house = House::open();
    for _ in 0..3 {
        let Some(mut guest) = house.guest(Kind::Sub) else { continue };
        for number in 0..50_000 {
            if guest.subscribe(format!("watcher.{number}").as_bytes()).is_err() {
                break;
            }
        }
    }
    house.stands("fifty thousand subscriptions");
    if let Some(mut guest) = house.guest(Kind::Sub) {
        for number in 0_u32..500 {
            let topic = [&number.to_be_bytes()[..], &[b't'; 60_000]].concat();
            if guest.subscribe(&topic).is_err() {
                break;
            }
        }
    }
    house.stands("subscriptions of megabytes");
    let guests: Vec<_> = (0..100).filter_map(|_| house.guest(Kind::Sub)).collect();
    house.stands("a hundred subscribers");
    drop(guests);
    house.close();
}

#[test]
fn publications_that_nobody_takes_are_no_matter() {
    if !namespaces_are_possible() {
        return;
    }
    let house = House::open();
    let mut deaf: Vec<_> = (0..5).filter_map(|_| house.guest(Kind::Sub)).collect();
    for guest in &mut deaf {
        guest.subscribe(b"").expect("it is sent");
    }
    let mut client = house.client();
    let change =
        br#"{"command": "set", "properties": {"name": "web", "options": {"max_retry": 5}}}"#;
    for _ in 0..3000 {
        let reply = client.ask(change, DEADLINE).expect("a reply");
        assert!(reply.contains(r#""ok""#), "{reply}");
    }
    house.stands("three thousand publications");
    house.close();
}

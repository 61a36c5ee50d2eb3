//! Options that name signals: the stop signal, successful endings, forwarded signals.

use crate::config::settings::{ForwardedSignal, SuccessCode};
use crate::config::spelling;
use crate::config::value::items;
use crate::signal::Signal;

/// One signal, by number or name.
pub fn signal(text: &str) -> Result<Signal, String> {
    Signal::parse(text).ok_or_else(|| {
        let name = text.trim().to_ascii_uppercase();
        let names: Vec<String> =
            (1..=31).filter_map(Signal::from_number).map(|signal| signal.to_string()).collect();
        let with_prefix = if name.starts_with("SIG") { name } else { format!("SIG{name}") };
        match spelling::closest(&with_prefix, names.iter().map(String::as_str)) {
            Some(near) => format!("is no signal; did you mean `{near}`?"),
            None => "is no signal; write a name such as SIGTERM or a number".to_owned(),
        }
    })
}

/// Exit codes and signals: `0, 3, SIGTERM`.
pub fn success_codes(text: &str) -> Result<Box<[SuccessCode]>, String> {
    let mut codes = Vec::new();
    for (item, place) in items(text).zip(1..) {
        let code = match item.parse::<u8>() {
            Ok(code) => SuccessCode::Code(code),
            Err(_) if item.bytes().all(|byte| byte.is_ascii_digit()) => {
                return Err("has an exit code over 255".to_owned());
            }
            Err(_) => SuccessCode::Killed(
                signal(item).map_err(|reason| format!("has an item {place} that {reason}"))?,
            ),
        };
        if !codes.contains(&code) {
            codes.push(code);
        }
    }
    if codes.is_empty() {
        return Err("is empty; write exit codes or signals such as 0, 3, SIGTERM".to_owned());
    }
    Ok(codes.into())
}

/// As `success_codes` understands it.
pub fn success_codes_text(codes: &[SuccessCode]) -> String {
    let shown = codes.iter().map(|code| match code {
        SuccessCode::Code(code) => code.to_string(),
        SuccessCode::Killed(signal) => signal.to_string(),
    });
    shown.collect::<Vec<String>>().join(", ")
}

/// As `forwarded` understands it.
pub fn forwarded_text(list: &[ForwardedSignal]) -> String {
    let shown = list.iter().map(|forwarded| match forwarded {
        ForwardedSignal { received, sent } if received == sent => received.to_string(),
        ForwardedSignal { received, sent } => format!("{received}>{sent}"),
    });
    shown.collect::<Vec<String>>().join(", ")
}

/// `USR1, HUP>USR2`.
pub fn forwarded(text: &str) -> Result<Box<[ForwardedSignal]>, String> {
    let mut list: Vec<ForwardedSignal> = Vec::new();
    for (item, place) in items(text).zip(1..) {
        let (received, sent) = item.split_once('>').unwrap_or((item, item));
        let parsed = |name: &str| {
            signal(name).map_err(|reason| format!("has an item {place} that {reason}"))
        };
        let (received, sent) = (parsed(received)?, parsed(sent)?);
        if [Signal::TERM, Signal::INT, Signal::QUIT].contains(&received) {
            return Err(format!(
                "cannot forward {received}: it stops circusd; choose with stop_signal what the processes get then"
            ));
        }
        if received == Signal::CHLD || !received.can_be_caught() || !sent.can_be_caught() {
            return Err(format!(
                "cannot pass on {received} as {sent}: KILL, STOP and CHLD are not forwarded; use stop_signal for how processes end"
            ));
        }
        if list.iter().any(|known| known.received == received) {
            return Err(format!("names {received} twice"));
        }
        list.push(ForwardedSignal { received, sent });
    }
    Ok(list.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_signal_gets_a_question() {
        assert_eq!(signal("quit"), Ok(Signal::QUIT));
        assert!(signal("SIGTREM").expect_err("wrong").contains("`SIGTERM`"));
        assert!(signal("trem").expect_err("wrong").contains("`SIGTERM`"));
    }

    #[test]
    fn successful_endings_are_codes_and_signals() {
        let codes = success_codes("0, 3, SIGTERM").expect("valid");
        assert_eq!(
            &*codes,
            [SuccessCode::Code(0), SuccessCode::Code(3), SuccessCode::Killed(Signal::TERM)]
        );
        assert_eq!(success_codes(&success_codes_text(&codes)), Ok(codes));
        assert!(success_codes("256").is_err() && success_codes("").is_err());
    }

    #[test]
    fn signals_that_stop_circusd_are_not_forwarded() {
        let list = forwarded("USR1, HUP>USR2").expect("valid");
        assert_eq!(list[1], ForwardedSignal { received: Signal::HUP, sent: Signal::USR2 });
        assert_eq!(forwarded(&forwarded_text(&list)), Ok(list));
        for text in ["TERM", "SIGINT", "quit", "KILL", "STOP"] {
            assert!(forwarded(text).expect_err("refused").contains("stop_signal"), "{text}");
        }
        assert!(forwarded("USR1, USR1>USR2").is_err());
    }
}

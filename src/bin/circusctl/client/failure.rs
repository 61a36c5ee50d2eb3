//! Why a command did not come to a good end, and the exit code for it.

/// What went wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// The command line is wrong.
    Usage(String),
    /// circusd was not reached, or something of ours failed.
    Trouble(String),
    /// circusd refused.
    Refused(String),
    /// The command has said it already, and this is its exit code.
    Said(u8),
    /// Whoever read our output has gone: nothing that is worth a word.
    NobodyReads,
    /// The person has pressed Ctrl-C.
    Interrupted,
}

impl Failure {
    /// The exit code.
    pub fn code(&self) -> u8 {
        match self {
            Failure::NobodyReads => 0,
            Failure::Trouble(_) => 1,
            Failure::Usage(_) => 2,
            Failure::Refused(_) => 3,
            Failure::Said(code) => *code,
            Failure::Interrupted => 130,
        }
    }

    /// What is printed to standard error.
    pub fn message(&self) -> Option<String> {
        match self {
            // As Circus's circusctl begins it.
            Failure::Usage(text) | Failure::Trouble(text) | Failure::Refused(text) => {
                Some(format!("error: {text}"))
            }
            Failure::Said(_) | Failure::NobodyReads | Failure::Interrupted => None,
        }
    }
}

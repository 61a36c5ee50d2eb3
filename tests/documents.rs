//! The documents say what the program does: options are those of the tables, and every block of
//! code in them is run.
//!
//! | block | what is done with it |
//! |---|---|
//! | `ini` | `circusd --check`; all of a page together, with `sleep` for the commands, is what its scripts talk to |
//! | `ini`, first line `; supervisord.conf` | read by Supervisor itself, if it is here |
//! | `sh`, lines of `console` that begin with `$` | run; `docker exec X` and `kubectl exec X --` are left out |
//! | `dockerfile` | `COPY --from=circus`, `HEALTHCHECK` and `ENTRYPOINT` are tried |
//! | `yaml` | commands that name our programs are run |
//! | `python` | run, if Circus's client is here |
//! | any, first line `# before` | nothing: it is somebody else's |
//! | without a language | nothing: it is what something prints, or looks like |

#![allow(clippy::disallowed_methods)]

#[path = "documents/blocks.rs"]
mod blocks;

#[path = "documents/options.rs"]
mod options;

#[path = "documents/snippets.rs"]
mod snippets;

#[path = "documents/stage.rs"]
mod stage;

#[path = "documents/supervisor.rs"]
mod supervisor;

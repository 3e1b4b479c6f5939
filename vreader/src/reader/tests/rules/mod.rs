//! Every rule of every call, as scripts: pcscd's, and the ones that are better than pcscd's.

mod connect;
mod exchange;
mod hands;
mod transaction;

use super::script::Script;

/// What is tested, and the steps with their outcomes.
type Row = (&'static str, &'static str);

fn check(rows: &[Row]) {
    for (title, script) in rows {
        Script::run(title, script);
    }
}

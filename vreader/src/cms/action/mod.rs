//! What is done with cards. Each action that changes a card is a request, planned in the file of its name, and run as a session.
//!
//! | file | request |
//! |---|---|
//! | `register` | none: a card comes into stock, becomes somebody's, leaves |
//! | `update` | whichever is open for the card in the reader |
//! | `issue` | issuance, and handing over |
//! | `renew`, `credential` | renewal, addition, removal |
//! | `lock`, `unlock` | lock, unlock |
//! | `activate` | activation of the PIV Authentication certificate |
//! | `replace` | replacement, temporary and permanent |
//! | `end` | termination and recycling |
//! | `produce` | none: a card maker's machine |
//! | `compare` | none: whether card and database agree |
//! | `batch` | issuance of many |

mod activate;
mod batch;
mod compare;
mod credential;
mod end;
mod issue;
mod lock;
mod produce;
mod register;
mod renew;
mod replace;
mod unlock;
mod update;

pub use self::{
    activate::{ActivationPage, LoginCertificate},
    batch::{Batch, Progress},
    compare::Difference,
    issue::IssueOptions,
    produce::Produced,
    update::{UpdateOptions, Updated},
};

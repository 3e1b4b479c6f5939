//! What people do with cards and see, a row of the flows a test: `row_01_…` shows row 1, with the programs that the row names.

mod activation;
mod agent;
mod card_content;
mod cut;
mod issued;
mod making_available;
mod management;
mod office;
mod replacement;
mod rows;
mod unlock;

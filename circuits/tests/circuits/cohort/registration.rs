//! Registration: true tables are accepted in every shape; each rule, broken alone, is refused, and by that rule.

#[path = "registration/agreement.rs"]
mod agreement;
#[path = "registration/case.rs"]
mod case;
#[path = "registration/columns.rs"]
mod columns;
#[path = "registration/dictionary.rs"]
mod dictionary;
#[path = "registration/frame.rs"]
mod frame;
#[path = "registration/honest.rs"]
mod honest;
#[path = "registration/keys.rs"]
mod keys;
#[path = "registration/plan.rs"]
mod plan;
#[path = "registration/proof.rs"]
mod proof;
#[path = "registration/rows.rs"]
mod rows;
#[path = "registration/sums.rs"]
mod sums;

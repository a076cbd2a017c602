//! Claims from request to verified proof.

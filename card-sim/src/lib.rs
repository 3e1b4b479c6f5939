//! card-sim

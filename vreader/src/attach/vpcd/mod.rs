//! attach/vpcd

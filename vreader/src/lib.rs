//! vreader

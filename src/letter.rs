//! An issue rendered and frozen: MIME parts with slots, spliced per reader.

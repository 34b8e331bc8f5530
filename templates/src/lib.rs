//! Every mail as a pure function from plain structs.

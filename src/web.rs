//! The web: public pages, editors' pages, machines.

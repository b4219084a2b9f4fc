//! The IR interpreter over recorded events: its own issue; the room is reserved.

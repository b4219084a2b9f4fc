//! Records through the consumer with a scripted session.

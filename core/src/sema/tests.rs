//! Whole programs through the checker with a backend that knows only BEGIN.

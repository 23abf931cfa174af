//! Overstate's harness, end-to-end tests, conformance against real Salt, bench and tidy rules.

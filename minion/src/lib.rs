//! The agent of Overstate: connection, job execution, execution modules, grains.

//! bellwether-collectd

"""Everything on one machine: supervised Valkey and PostgreSQL, the home folder that holds their data, and `up`."""

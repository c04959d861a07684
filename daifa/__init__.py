"""daifa (代发) runs a shop that holds no stock: orders in, purchases out, parcels tracked, buyers told, books balanced."""

__version__ = "0.1.0"

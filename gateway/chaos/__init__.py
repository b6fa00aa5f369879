"""Everything goes wrong at random while strategies trade; then the books must be the exchange's own."""

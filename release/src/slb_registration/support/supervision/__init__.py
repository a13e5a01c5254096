"""Parts of the process that last: supervised, heard of, and begun again where they break."""

"""The services of the sample fleet: their Dockerfiles, and how their sizes came to be; one module a runtime."""

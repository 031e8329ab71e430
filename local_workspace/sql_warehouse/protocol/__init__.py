"""What SQL clients talk to: the HTTPS server with the Thrift service and the REST statement execution API."""

"""What all of the server's HTTP interfaces share: parameters, answers, pages, who calls, routes."""

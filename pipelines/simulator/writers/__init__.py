"""One module per file format. Writers turn the week's happenings into bytes and know nothing of causes."""

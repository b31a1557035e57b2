// Unix

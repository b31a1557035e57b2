/* Prints the tree of each message whose file is named on standard input, as GMime has it: path, type, and of leaves the
 * size of the decoded content. The peer of mailparse's tree in the tests.
 *   cc -O2 mime-tree.c $(pkg-config --cflags --libs gmime-3.0) -o mime-tree && ls *.eml | ./mime-tree
 */
#include <fcntl.h>
#include <gmime/gmime.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
static void walk(GMimeObject *object, const char *path) {
    GMimeContentType *type = g_mime_object_get_content_type(object);
    char *name = g_ascii_strdown(g_mime_content_type_get_mime_type(type), -1);
    char child[65536];
    if (GMIME_IS_MULTIPART(object)) {
        printf("%s %s\n", path, name);
        int count = g_mime_multipart_get_count((GMimeMultipart *)object);
        for (int i = 0; i < count; i++) {
            snprintf(child, sizeof child, "%s.%d", path, i + 1);
            walk(g_mime_multipart_get_part((GMimeMultipart *)object, i), child);
        }
    } else if (GMIME_IS_MESSAGE_PART(object)) {
        printf("%s %s\n", path, name);
        GMimeMessage *m = g_mime_message_part_get_message((GMimeMessagePart *)object);
        snprintf(child, sizeof child, "%s.1", path);
        if (m && g_mime_message_get_mime_part(m)) walk(g_mime_message_get_mime_part(m), child);
    } else {
        GMimeDataWrapper *content = GMIME_IS_PART(object) ? g_mime_part_get_content((GMimePart *)object) : NULL;
        long size = 0;
        if (content) {
            GMimeStream *sink = g_mime_stream_null_new();
            size = g_mime_data_wrapper_write_to_stream(content, sink);
            g_object_unref(sink);
        }
        printf("%s %s %ld\n", path, name, size);
    }
}
int main(void) {
    g_mime_init();
    char file[4096];
    while (fgets(file, sizeof file, stdin)) {
        file[strcspn(file, "\n")] = 0;
        int fd = open(file, O_RDONLY);
        char start[5] = "";
        if (fd < 0 || pread(fd, start, 5, 0) < 0) return 66;
        GMimeStream *stream = g_mime_stream_fs_new(fd);
        GMimeParser *parser = g_mime_parser_new_with_stream(stream);
        g_mime_parser_set_format(parser, memcmp(start, "From ", 5) ? GMIME_FORMAT_MESSAGE : GMIME_FORMAT_MBOX);
        GMimeMessage *m = g_mime_parser_construct_message(parser, NULL);
        printf("= %s\n", file);
        if (m && g_mime_message_get_mime_part(m)) walk(g_mime_message_get_mime_part(m), "1");
        if (m) g_object_unref(m);
        g_object_unref(parser);
        g_object_unref(stream);
    }
}

/* Parses every message of an mbox with GMime and decodes every part: the peer of mailparse's MIME parse.
 *   cc -O2 mime-parse.c $(pkg-config --cflags --libs gmime-3.0) -o mime-parse && ./mime-parse BOX
 */
#include <fcntl.h>
#include <gmime/gmime.h>
#include <stdio.h>
#include <stdlib.h>

static long parts, bytes;

static void part(GMimeObject *parent, GMimeObject *object, gpointer data) {
    if (GMIME_IS_MESSAGE_PART(object)) {
        GMimeMessage *message = g_mime_message_part_get_message((GMimeMessagePart *)object);
        if (message) g_mime_message_foreach(message, part, data);
        return;
    }
    if (!GMIME_IS_PART(object)) return;
    GMimeDataWrapper *content = g_mime_part_get_content((GMimePart *)object);
    parts++;
    if (!content) return;
    GMimeStream *sink = g_mime_stream_null_new();
    bytes += g_mime_data_wrapper_write_to_stream(content, sink);
    g_object_unref(sink);
}

int main(int count, char **words) {
    g_mime_init();
    int file = open(words[count - 1], O_RDONLY);
    if (file < 0) return 66;
    GMimeStream *stream = g_mime_stream_fs_new(file);
    GMimeParser *parser = g_mime_parser_new_with_stream(stream);
    g_mime_parser_set_format(parser, GMIME_FORMAT_MBOX);
    long messages = 0;
    while (!g_mime_parser_eos(parser)) {
        GMimeMessage *message = g_mime_parser_construct_message(parser, NULL);
        if (!message) continue;
        messages++;
        g_mime_message_get_subject(message);
        g_mime_message_get_date(message);
        g_mime_message_get_from(message);
        g_mime_message_foreach(message, part, NULL);
        g_object_unref(message);
    }
    printf("%ld messages, %ld parts, %ld bytes\n", messages, parts, bytes);
    return 0;
}

/*
 * page: a report as one HTML file that holds all it needs: its plots are drawn
 * in the browser, by d3 and Observable Plot (packaging/vendor), of the data in
 * it, and it may fetch nothing.
 */
#ifndef DAEMON_CTL_PAGE_H
#define DAEMON_CTL_PAGE_H

#include <jansson.h>
#include <stdbool.h>

/* The refined answer of `report`. False, after having said why. */
bool page_write(const char *path, const json_t *report);

#endif

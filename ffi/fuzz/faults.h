/*
 * Failures on demand: of memory and of the kernel's door. The linker leads the shim's calls here (see the Makefile);
 * the harness's own objects are led here too, so plans are only set around calls of the shim.
 */
#ifndef RINGWIRE_FUZZ_FAULTS_H
#define RINGWIRE_FUZZ_FAULTS_H

#include <stdint.h>

/* The allocation after `after` more, and the `count` - 1 that follow, fail. */
void faults_of_memory(uint32_t after, uint32_t count);
/* The next `count` submissions do nothing and return -error: EINTR, EBUSY, EAGAIN, ENOMEM as the kernel may. */
void faults_of_submission(int error, uint32_t count);
/* Between calls of the shim: nothing fails. Returns how many failures were served since the last plan. */
uint32_t faults_stop(void);
void faults_resume(void);
void faults_clear(void);

#endif

/* Last in a kernel file that defines BNN_TARGET. */
#if defined(__clang__)
#pragma clang attribute pop
#endif

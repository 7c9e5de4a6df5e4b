/** Header with the message's own id, as the publisher gave it. Deduplication windows and inboxes compare it. */
export const MESSAGE_ID_HEADER: string = 'message-id'
